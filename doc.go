// Package pghold records who holds a database connection, for how long, and doing
// what. A hold is the time from a connection's checkout to its release. The part
// of it in which a statement was running is busy; the rest is silent, and what
// pghold is for: time in which others may be waiting for the connection.
//
// A [Recorder] knows the holds that are open now and sums up the finished ones by
// pool, route and call site. It is fed by adapters: pgxhold for pgx and pgxpool,
// sqlhold for database/sql, and by hand with [Pool.Wait]. [WithRoute] names the route
// for what happens in a context, [Do] for a whole request or job, [SetRoute] where a
// router knows it later, and [StartSlowCall] tells of a slow call in it; httphold does
// these for net/http, and grpchold for gRPC. [Intend] is for connections that are held on
// purpose. [Recorder.Snapshot] is everything it knows, as JSON, [Recorder.OpenHolds] says
// where the open holds are stuck now, and Config.OnShortage is told when callers wait too
// long for a connection, or for one that they hold themselves.
//
// While connections are held it looks now and then where the goroutines are that have
// them, and while they come and go it keeps counts of the last minutes: with timers, and
// profiles that take at most 1 % of a core. It has no goroutine that runs all the time.
//
// The package imports nothing but the standard library. It opens no connection,
// runs no statement and serves no page.
//
// Here and in the packages around it, the zero value of a Config, of Options and of
// Rules means the defaults that its fields tell; only queuepool's Config is made by
// NewConfig. A nil that is not documented to mean a default is the caller's mistake, and
// is refused at once: with an error where there is one to return, otherwise with a panic
// that names the function.
package pghold
