// Package metrics exports a ledger of transactions to Prometheus. Everything is worked
// out when Prometheus asks.
//
//	pghold_watch_sessions                        gauge      sessions that are open
//	pghold_watch_idle_in_transaction             gauge      of these, idle in a transaction now
//	pghold_watch_oldest_gap_seconds              gauge      how long the longest of these has been
//	pghold_watch_transactions_total              counter    transactions that ended
//	pghold_watch_statements_total                counter    answers to what clients asked for
//	pghold_watch_seconds_total                   counter    by class: busy, lock_wait, idle_in_transaction, slow_client, aborted
//	pghold_watch_gap_seconds                     histogram  gaps in transactions that have ended, by application_name, user, database
//	pghold_watch_unseen_seconds                  gauge      idle in transaction by the server's counter, and not seen; only of samples
//
// The histogram's buckets end at 1, 2, 5, 10, … ms, 1, 2, 5, 10, 30 and 60 s, and 5 min.
// There are 100 of them at most; what comes then is "(other)". It has no label of
// statements or routes, of which a service may have many: the ledger has those.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// Handler serves the metrics of a ledger.
func Handler(ledger *watch.Ledger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{ledger})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

type collector struct{ ledger *watch.Ledger }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pghold_watch_"+name, help, labels, nil)
}

var (
	sessions     = desc("sessions", "Sessions that are open.")
	idle         = desc("idle_in_transaction", "Sessions that are idle in a transaction now.")
	oldest       = desc("oldest_gap_seconds", "How long the session has been idle that has been so longest in its transaction.")
	transactions = desc("transactions_total", "Transactions that ended.")
	statements   = desc("statements_total", "Answers to what clients asked for.")
	seconds      = desc("seconds_total", "What the sessions' time was spent on.", "class")
	gaps         = desc("gap_seconds", "Times in which a transaction was open and no statement ran, those that have ended.", "application_name", "user", "database")
	unseen       = desc("unseen_seconds", "Time idle in transaction that the server counted and that was not seen.")
)

func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessions, idle, oldest, transactions, statements, seconds, gaps, unseen} {
		to <- d
	}
}

func (c collector) Collect(to chan<- prometheus.Metric) {
	r := c.ledger.Report(time.Now())
	one := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	of := func(s watch.Seconds) float64 { return time.Duration(s).Seconds() }
	one(sessions, prometheus.GaugeValue, float64(r.Sessions))
	one(idle, prometheus.GaugeValue, float64(r.InTransaction))
	one(oldest, prometheus.GaugeValue, of(r.LongestOpen))
	one(transactions, prometheus.CounterValue, float64(r.Transactions))
	one(statements, prometheus.CounterValue, float64(r.Statements))
	one(seconds, prometheus.CounterValue, of(r.Busy), "busy")
	one(seconds, prometheus.CounterValue, of(r.LockWait), "lock_wait")
	one(seconds, prometheus.CounterValue, of(r.Silent), "idle_in_transaction")
	one(seconds, prometheus.CounterValue, of(r.SlowClient), "slow_client")
	one(seconds, prometheus.CounterValue, of(r.Aborted), "aborted")
	if r.Unseen != nil {
		one(unseen, prometheus.GaugeValue, of(*r.Unseen))
	}
	for _, h := range r.Histograms {
		buckets := map[float64]uint64{}
		var count uint64
		var sum float64
		for _, b := range h.Bins {
			count += uint64(b.Count)
			sum += of(b.Sum)
			if b.UpTo != nil {
				buckets[of(*b.UpTo)] = count
			}
		}
		to <- prometheus.MustNewConstHistogram(gaps, count, sum, buckets, valid(h.Application), valid(h.User), valid(h.Database))
	}
}

// valid is a label's value: Prometheus takes no other than UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
