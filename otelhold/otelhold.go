package otelhold

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/holdmetrics"
)

// scope is the name of who measures.
const scope = "github.com/pghold/pghold/otelhold"

const (
	poolName = attribute.Key("db.client.connection.pool.name")
	state    = attribute.Key("db.client.connection.state")
	route    = attribute.Key("pghold.route")
	slowCall = attribute.Key("pghold.slow_call")
)

var (
	useTime  = &metric{"db.client.connection.use_time", "s", "The time between borrowing a connection and returning it to the pool.", counter}
	waitTime = &metric{"db.client.connection.wait_time", "s", "The time it took to obtain an open connection from the pool.", counter}
	count    = &metric{"db.client.connection.count", "{connection}", "The number of connections that are currently in state described by the `state` attribute.", upDownCounter}
	most     = &metric{"db.client.connection.max", "{connection}", "The maximum number of open connections allowed.", upDownCounter}
	pending  = &metric{"db.client.connection.pending_requests", "{request}", "The number of current pending requests for an open connection.", upDownCounter}
	timeouts = &metric{"db.client.connection.timeouts", "{timeout}", "The number of connection timeouts that have occurred trying to obtain a connection from the pool.", counter}

	waits       = &metric{"pghold.waits", "{wait}", "Callers who had to queue for a connection, by the pool's own count.", counter}
	waitSeconds = &metric{"pghold.wait", "s", "How long callers queued for a connection, by the pool's own count.", counter}

	holds           = &metric{"pghold.holds", "{hold}", "Holds that ended.", counter}
	busy            = &metric{"pghold.busy", "s", "How long connections were held with a statement running, in holds that ended.", counter}
	silent          = &metric{"pghold.silent", "s", "How long connections were held with no statement running, in holds that ended.", counter}
	silentInTx      = &metric{"pghold.silent_in_transaction", "s", "How long connections were held with no statement running and a transaction open, in holds that ended.", counter}
	panics          = &metric{"pghold.panics", "{panic}", "Holds whose handler panicked.", counter}
	slowCalls       = &metric{"pghold.slow_calls", "{call}", "Slow calls inside holds that ended.", counter}
	slowCallSeconds = &metric{"pghold.slow_call", "s", "How long slow calls took inside holds that ended.", counter}

	openHolds         = &metric{"pghold.open_holds", "{hold}", "Holds that are open.", upDownCounter}
	oldest            = &metric{"pghold.oldest_hold", "s", "How long the oldest open hold has lasted.", gauge}
	longestSilentInTx = &metric{"pghold.longest_silent_in_transaction", "s", "The longest that an open hold has had a transaction open and no statement running, its gaps added up.", gauge}

	foldedHolds = &metric{"pghold.folded_holds", "{hold}", `Holds that were counted under the route "(other)", because there are more series than the recorder keeps apart.`, counter}

	all = []*metric{
		useTime, waitTime, count, most, pending, timeouts, waits, waitSeconds,
		holds, busy, silent, silentInTx, panics, slowCalls, slowCallSeconds, openHolds, oldest, longestSilentInTx, foldedHolds,
	}
)

// Producer returns a producer of what the recorder knows, for a reader. It is safe
// for concurrent use. Without a recorder it panics.
func Producer(recorder *pghold.Recorder) sdkmetric.Producer {
	if recorder == nil {
		panic("otelhold: Producer needs a recorder, and got nil")
	}
	return producer{holdmetrics.NewReader(recorder.Snapshot)}
}

type producer struct{ reader *holdmetrics.Reader }

// Produce is called by the reader. It returns no error.
func (p producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	rows := p.reader.Read()
	to := newPoints(rows.Began, rows.Taken)
	for _, p := range rows.Pools {
		pool := poolName.String(p.Name)
		to.histogram(useTime, &p.Held, pool)
		to.histogram(waitTime, &p.Wait, pool)
		to.number(count, p.Used, pool, state.String("used"))
		if p.Open > 0 {
			to.number(count, p.Idle(), pool, state.String("idle"))
		}
		if p.Max > 0 {
			to.number(most, p.Max, pool)
		}
		to.number(pending, p.Pending, pool)
		to.number(timeouts, p.Timeouts, pool)
		if p.Waits > 0 {
			to.number(waits, p.Waits, pool)
			to.seconds(waitSeconds, p.WaitTime, pool)
		}
	}
	for _, r := range rows.Routes {
		pool, route := poolName.String(r.Pool), route.String(r.Route)
		to.number(holds, r.Holds, pool, route)
		to.seconds(busy, r.Busy, pool, route)
		to.seconds(silent, r.Silent, pool, route)
		to.seconds(silentInTx, r.SilentInTransaction, pool, route)
		to.number(panics, r.Panics, pool, route)
	}
	for _, c := range rows.SlowCalls {
		pool, route, what := poolName.String(c.Pool), route.String(c.Route), slowCall.String(c.What)
		to.number(slowCalls, c.Count, pool, route, what)
		to.seconds(slowCallSeconds, c.Duration, pool, route, what)
	}
	for _, h := range rows.OpenHolds {
		pool, route := poolName.String(h.Pool), route.String(h.Route)
		to.number(openHolds, h.Count, pool, route)
		to.seconds(oldest, h.Oldest, pool, route)
		to.seconds(longestSilentInTx, h.LongestSilentInTransaction, pool, route)
	}
	to.number(foldedHolds, rows.FoldedHolds)
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: to.metrics()}}, nil
}
