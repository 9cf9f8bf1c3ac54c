// Package tap stands between an app and its Postgres, passes every byte on, and reads
// the headers of the messages: so the ledger (package watch) has each transaction and
// each gap to the microsecond, whatever language the app is written in.
//
// A gap begins when ReadyForQuery says that a transaction is open and nothing further
// was asked for, and ends with the client's next message. Both are taken as the bytes
// arrive here: a gap is at least as long as the client's own measure of it, and at most
// as long as the server's.
//
// Bytes pass as they are, with two exceptions. Requests for encryption are answered
// here, for each side on its own. And an app that speaks without TLS to a server with
// TLS is not offered SCRAM-SHA-256-PLUS, which it could not use. With TLS on both sides
// an app that binds its password to the channel is refused, with what to do. What ends a
// connection here, such as a network to the server that is lost, an app is told in
// Postgres' own way.
//
// Replication connections pass, and are not counted. The tap has no credentials, opens
// no session of its own and changes nothing on the server.
package tap
