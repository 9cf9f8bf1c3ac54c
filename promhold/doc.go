// Package promhold exports what a pghold.Recorder knows to Prometheus.
//
//	prometheus.MustRegister(promhold.Collector(recorder))
//
// Everything is worked out when Prometheus asks; a hold costs nothing more. What
// OpenTelemetry has a name for has that name, in the form that Prometheus gives it,
// and the label db_client_connection_pool_name, which all but the last have:
//
//	db_client_connection_use_time_seconds      histogram  how long connections were held
//	db_client_connection_wait_time_seconds     histogram  how long callers queued
//	db_client_connection_count                 gauge      by db_client_connection_state: used, idle
//	db_client_connection_max                   gauge      connections that may be open
//	db_client_connection_pending_requests      gauge      callers who queue now
//	db_client_connection_timeouts_total        counter    waits that took too long
//
//	pghold_waits_total                         counter    callers who queued, by the pool's own count
//	pghold_wait_seconds_total                  counter    how long they did
//
// These have the label pghold_route also:
//
//	pghold_holds_total                         counter    holds that ended
//	pghold_busy_seconds_total                  counter    of these, in statements
//	pghold_silent_seconds_total                counter    of these, in no statement
//	pghold_silent_in_transaction_seconds_total counter    of these, with a transaction open
//	pghold_panics_total                        counter    holds whose handler panicked
//	pghold_slow_calls_total                    counter    slow calls in these, by pghold_slow_call
//	pghold_slow_call_seconds_total             counter    how long they took, by pghold_slow_call
//	pghold_open_holds                          gauge      holds that are open now
//	pghold_oldest_hold_seconds                 gauge      how long the oldest of these has lasted
//	pghold_longest_silent_in_transaction_seconds
//	                                           gauge      the most that one of these has been silent
//	                                                      with a transaction open, gaps added up
//
// And without a label:
//
//	pghold_folded_holds_total                  counter    holds counted under the route "(other)"
//
// A hold is in the counters and the histograms once it has ended; until then it is
// in the last three gauges, which have no value where nothing is held. All else is 0
// or more from the beginning of its route, with these exceptions: idle and max are
// there where the pool tells how many connections are open and may be, waits where
// it counts them, the histogram of waits where they are measured. Where an adapter
// does not see who queues, pending requests and time-outs stay 0.
//
// # Buckets
//
// The histograms' buckets end at 1, 5, 10, 50, 100 and 500 ms, 1, 5, 10, 30 and 60 s,
// and 5 min. They are filled from a pghold.Sketch: a hold that is up to 1/16 longer
// than a bucket's end may be counted in it. Sums and counts are exact.
//
// # How many there are
//
// Routes are bounded by pghold.Config.MaxSeries, slow calls to the first 100 names
// that a collector has seen in a pool, beginning with those of the routes that were
// silent longest; the others are "(other)", as are slow calls that the recorder did
// not keep apart. The gauges of open holds name 100 more routes of a pool, of which no
// hold has ended yet. Nothing bounds how many pools there are. A hold without a route
// has the route "(no route)". Bytes that are not UTF-8 become U+FFFD, and what has the
// same name then is summed up.
//
// No counter goes down while its collector lives.
//
// # What it does not do
//
// It tells nothing of call sites: httphold.Handler does. It serves no page: promhttp
// does. It has no native histograms.
//
// A registry takes one collector, because two would have the same metrics. One
// recorder with several pools is the way. Several recorders need a label each:
//
//	prometheus.WrapRegistererWith(prometheus.Labels{"tenant": "a"}, registry).Register(promhold.Collector(a))
//	prometheus.WrapRegistererWith(prometheus.Labels{"tenant": "b"}, registry).Register(promhold.Collector(b))
package promhold
