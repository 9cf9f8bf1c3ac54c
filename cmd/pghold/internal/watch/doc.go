// Package watch keeps the ledger of a Postgres' transactions: what their time was spent
// on, seen from outside of the app, which may be written in any language. Of each
// transaction it knows how long its statements ran, how long it was silent (idle in
// transaction) or aborted, how long its client was slow to take or to send data, and
// each gap: after which statement, and how long.
//
// Sources fill it: watch/tap, which passes an app's bytes on to the server and reads
// them, and is exact; watch/activity, which samples pg_stat_activity, and says of what
// it saw whether it is exact or bounded.
//
// It knows nothing of connections that an app holds outside of a transaction: on the
// wire, and to the server, these look like those that lie in its pool. It keeps no
// values: of a statement there remain its shape and the name of its route. Its memory
// is bounded, whatever comes: what cost most keeps its name, the rest is in the sums.
package watch
