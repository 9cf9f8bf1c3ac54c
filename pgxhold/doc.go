// Package pgxhold feeds a pghold.Recorder from pgx and pgxpool, through their own
// tracers. Three lines are enough:
//
//	recorder := pghold.NewRecorder(pghold.Config{})
//	cfg, err := pgxpool.ParseConfig(dsn)
//	err = pgxhold.Install(cfg, recorder, "main")
//
// A tracer that is there already, such as otelpgx's, goes on working: all its hooks
// are called beside these, those of queuepool.Tracer among them.
//
// # Where a hold begins and ends
//
// A hold begins when pgxpool's Acquire has its connection, and ends with Release;
// what pool methods like QueryRow do of themselves counts as well. The odd cases:
//
//   - An Acquire that fails is a wait without a hold, counted as a time-out, a
//     cancellation or a failure. One that a hook of the pool's ends with a panic is a
//     failure.
//   - A connection that is hijacked has no release, and pgxpool does not tell of it.
//     Call [Released] for it. Where nobody does, as for one that a library hijacks to
//     listen on, the hold stays open as long as somebody has the connection, and ends
//     at the first garbage collection after that.
//   - AcquireAllIdle tells nobody that it acquires: what is done with its
//     connections is not recorded, and their release is passed over.
//   - A connection outside of any pool has nobody to give it back to: it is not
//     recorded.
//   - A batch, a COPY and the preparation of a statement are one statement each, and
//     so is a query from the moment it is sent until its rows are closed.
//   - A transaction counts as open for as long as the server says so, savepoints
//     and failed transactions included. On a connection that pgx has closed, as it does
//     when a statement is cancelled, none is open. The hold goes on until the release:
//     the pool has no other connection in its place until then.
//   - Waiting for a notification is silence: no statement is running.
//   - Pools that are opened with the same configuration are one pool, under one name:
//     their holds are counted together, and what pgxpool says of itself, its
//     connections, its limit and its waits, is added up. Beside others, a pool without
//     any connection, as a closed one is, has no limit, and its waits count only until
//     the next pool is opened.
//
// The package opens no connection, and reports nothing: that is the recorder's.
//
// # With pgx's own tests
//
// pgx v5.12.0's own tests pass with pgxhold and sqlhold in place as they do without
// them, on PostgreSQL 15: of its root package 280 tests, and 3 that are skipped, of
// pgxpool 71, of stdlib 46 (777, 79 and 198 with subtests). To do that again, for a
// further version, copy pgx's source, make a go.work with the copy and this module, and
// replace in the copy's tests
//
//   - pgx.Connect and ConnectConfig, pgxtest's too, by ones that call [InstallConn] and
//     begin a hold with the tracer's TraceCheckoutStart and TraceCheckoutEnd, since
//     these connections are of no pool;
//   - pgxpool.New and NewWithConfig by ones that call [Install] on the configuration
//     that they are given, ignoring that it says no the second time;
//   - stdlib.OpenDB by sqlhold.OpenDB of stdlib.GetConnector, OpenDBFromPool by the same
//     of GetPoolConnector with no idle connections, and sql.Open by sqlhold.Open;
//   - in functions given to sql.Conn's Raw, the driver's connection by what the
//     wrapper's Unwrap returns.
//
// Run them with and without, with PGX_TEST_DATABASE on a database in which the copy's
// testsetup/postgresql_setup.sql was run, and compare test by test. The holds that are
// open at the end are those of tests that keep their connection, or do not close their
// rows or their transaction.
package pgxhold
