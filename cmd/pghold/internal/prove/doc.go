// Package prove measures on somebody's service what the lab measures on its own: it sends
// requests, and collects meanwhile what a ledger (package watch) has of the service's
// transactions. It says what follows, and where nothing does.
//
// It starts nothing: package service runs the command, package tap or activity fills the
// ledger, and a database is the caller's. It does not know which request a transaction
// belongs to. Where routes are attacked one after the other, all transactions of that time
// count as the route's, those of background jobs too.
package prove
