// Package otelhold exports what a pghold.Recorder knows through OpenTelemetry.
//
//	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(otelhold.Producer(recorder)))
//	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
//
// Everything is worked out when the reader collects; a hold costs nothing more. The
// first names are those of OpenTelemetry's semantic conventions, where all of them
// are in development. All but the last have the attribute
// db.client.connection.pool.name:
//
//	db.client.connection.use_time          s             histogram      how long connections were held
//	db.client.connection.wait_time         s             histogram      how long callers queued
//	db.client.connection.count             {connection}  up-down count  by db.client.connection.state: used, idle
//	db.client.connection.max               {connection}  up-down count  connections that may be open
//	db.client.connection.pending_requests  {request}     up-down count  callers who queue now
//	db.client.connection.timeouts          {timeout}     count          waits that took too long
//
//	pghold.waits                           {wait}        count          callers who queued, by the pool's own count
//	pghold.wait                            s             count          how long they did
//
// These have the attribute pghold.route also:
//
//	pghold.holds                           {hold}        count          holds that ended
//	pghold.busy                            s             count          of these, in statements
//	pghold.silent                          s             count          of these, in no statement
//	pghold.silent_in_transaction           s             count          of these, with a transaction open
//	pghold.panics                          {panic}       count          holds whose handler panicked
//	pghold.slow_calls                      {call}        count          slow calls in these, by pghold.slow_call
//	pghold.slow_call                       s             count          how long they took, by pghold.slow_call
//	pghold.open_holds                      {hold}        up-down count  holds that are open now
//	pghold.oldest_hold                     s             gauge          how long the oldest of these has lasted
//	pghold.longest_silent_in_transaction   s             gauge          the most that one of these has been silent
//	                                                                    with a transaction open, gaps added up
//
// And without an attribute:
//
//	pghold.folded_holds                    {hold}        count          holds counted under the route "(other)"
//
// They are the same numbers as promhold's, and the names are so that Prometheus makes
// promhold's of them. What the documentation of promhold says of their bounds, of the
// histograms' buckets, and of when there is a value, is true of these.
//
// # What it does not do
//
// All sums and histograms are cumulative, from when the recorder was made: a reader's
// choice of temporality, and a provider's views, are for what its own instruments
// measure, and the SDK does not apply them to a producer. It tells nothing of call
// sites, and it makes no spans.
//
// Two producers of this package on one reader produce the same metrics, which most
// backends take for one. One recorder with several pools is the way.
package otelhold
