package experiment

import (
	"encoding/json"
	"time"
)

// Prediction is what the model (package plan) says of a route that was measured. A field
// that RouteResult has too means what it means there, and has its name in JSON.
type Prediction struct {
	SuccessRatio float64 `json:"success_ratio"`
	Throughput   float64 `json:"throughput_per_s"`
	// Latency has not those of the quantiles that the model cannot say.
	Latency     Latencies            `json:"latency_s"`
	Connections PredictedConnections `json:"connections"`
	// Updates has no Killed: nobody kills a model.
	Updates *Updates `json:"updates,omitempty"`
	// Error is by how much the prediction is off: predicted less measured, by where the
	// figure is in the JSON of a RouteResult ("latency_s.p99"). Of success_ratio it is the
	// difference of the ratios, 0.01 a percentage point; of connections and updates, that
	// of the counts; of throughput_per_s and latency_s, the difference by the measured,
	// as a ratio. What is predicted where nothing was measured has no such ratio, and is
	// left out.
	Error map[string]float64 `json:"error"`
	// Note says why a figure is missing, or why one is off where that is
	// known.
	Note string `json:"note,omitempty"`
}

// Latencies are quantiles, and the mean, by their names in the JSON of Quantiles ("p99").
type Latencies map[string]time.Duration

// PredictedConnections are those of Connections that the model knows.
type PredictedConnections struct {
	Max                    int `json:"max"`
	MaxSilentInTransaction int `json:"max_silent_in_transaction"`
}

// Overheads are what a run cost beyond what its settings say, all in the experiment's own
// time, as it was measured: medians of the routes that tell. What none told is zero. Where
// the run tells what a route's own were, its prediction is made of these. That requests are
// sent late (RouteResult.SentLate) and that calls differ in length, predictions take from
// the run too.
type Overheads struct {
	Statement time.Duration // a round trip to the database, the statement included
	Connect   time.Duration // opening a connection
	Request   time.Duration // a request beside waiting, statements and the slow call
	Call      time.Duration // how much longer the slow call took than it should
	Handover  time.Duration // from a release until somebody who was queued had the connection
}

// NewPrediction sets what was predicted of a route beside what was measured.
func NewPrediction(measured, predicted *RouteResult) *Prediction {
	p := &Prediction{
		SuccessRatio: predicted.SuccessRatio, Throughput: predicted.Throughput, Latency: Latencies{},
		Connections: PredictedConnections{predicted.Connections.Max, predicted.Connections.MaxSilentInTransaction},
		Updates:     predicted.Updates, Error: map[string]float64{},
	}
	share := func(path string, predicted, measured float64) {
		switch {
		case measured != 0:
			p.Error[path] = (predicted - measured) / measured
		case predicted == 0:
			p.Error[path] = 0
		}
	}
	count := func(path string, predicted, measured int) { p.Error[path] = float64(predicted - measured) }

	p.Error["success_ratio"] = predicted.SuccessRatio - measured.SuccessRatio
	share("throughput_per_s", predicted.Throughput, measured.Throughput)
	measuredLatency := measured.Latency.byName()
	for name, d := range predicted.Latency.byName() {
		p.Latency[name] = d
		share("latency_s."+name, d.Seconds(), measuredLatency[name].Seconds())
	}
	count("connections.max", predicted.Connections.Max, measured.Connections.Max)
	count("connections.max_silent_in_transaction", predicted.Connections.MaxSilentInTransaction, measured.Connections.MaxSilentInTransaction)
	if was, is := measured.Updates, predicted.Updates; was != nil && is != nil {
		count("updates.recorded", is.Recorded, was.Recorded)
		count("updates.lost", is.Lost, was.Lost)
		count("updates.retries", is.Retries, was.Retries)
		count("updates.calls", is.Calls, was.Calls)
		count("updates.calls_repeated", is.CallsRepeated, was.CallsRepeated)
	}
	return p
}

// Unsay takes back what is predicted of a latency: "p99".
func (p *Prediction) Unsay(latency string) {
	delete(p.Latency, latency)
	delete(p.Error, "latency_s."+latency)
}

func (q Quantiles) byName() Latencies {
	return Latencies{"min": q.Min, "mean": q.Mean, "p50": q.P50, "p90": q.P90, "p95": q.P95, "p99": q.P99, "max": q.Max}
}

// MarshalJSON writes seconds.
func (l Latencies) MarshalJSON() ([]byte, error) {
	j := map[string]seconds{}
	for name, d := range l {
		j[name] = seconds(d)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads seconds.
func (l *Latencies) UnmarshalJSON(b []byte) error {
	var j map[string]seconds
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*l = Latencies{}
	for name, d := range j {
		(*l)[name] = time.Duration(d)
	}
	return nil
}

type overheadsJSON struct {
	Statement seconds `json:"statement"`
	Connect   seconds `json:"connect"`
	Request   seconds `json:"request"`
	Call      seconds `json:"call"`
	Handover  seconds `json:"handover"`
}

// MarshalJSON writes seconds.
func (o Overheads) MarshalJSON() ([]byte, error) {
	return json.Marshal(overheadsJSON{seconds(o.Statement), seconds(o.Connect), seconds(o.Request), seconds(o.Call), seconds(o.Handover)})
}

// UnmarshalJSON reads seconds.
func (o *Overheads) UnmarshalJSON(b []byte) error {
	var j overheadsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*o = Overheads{time.Duration(j.Statement), time.Duration(j.Connect), time.Duration(j.Request), time.Duration(j.Call), time.Duration(j.Handover)}
	return nil
}
