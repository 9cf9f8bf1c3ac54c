package experiment

import (
	"encoding/json"
	"time"
)

// Figures are what one repetition of a route came to. Each field means what the field
// of that name means in RouteResult, and has its name in JSON.
type Figures struct {
	SuccessRatio float64       `json:"success_ratio"`
	Throughput   float64       `json:"throughput_per_s"`
	Goodput      float64       `json:"goodput_per_s"`
	Elapsed      time.Duration `json:"-"`
	Outcomes     Outcomes      `json:"outcomes"`
	Latency      Quantiles     `json:"latency_s"`
	Time         TimeSplit     `json:"time_s"`
	Holds        Holds         `json:"holds"`
	Connections  Connections   `json:"connections"`
	PerRequest   PerRequest    `json:"per_request"`
	Updates      *Updates      `json:"updates,omitempty"`
	SilentRatio  *float64      `json:"silent_in_transaction_ratio,omitempty"`
}

// Figures are those of the route's own repetition, or of its only run.
func (r *RouteResult) Figures() Figures {
	return Figures{
		SuccessRatio: r.SuccessRatio, Throughput: r.Throughput, Goodput: r.Goodput, Elapsed: r.Elapsed,
		Outcomes: r.Outcomes, Latency: r.Latency, Time: r.Time, Holds: r.Holds, Connections: r.Connections,
		PerRequest: r.PerRequest, Updates: r.Updates, SilentRatio: r.SilentRatio,
	}
}

// Runs are the figures of every run of the route, in order.
func (r *RouteResult) Runs() []Figures {
	if len(r.Repeats) > 0 {
		return r.Repeats
	}
	return []Figures{r.Figures()}
}

type (
	plainFigures Figures
	figuresJSON  struct {
		plainFigures
		Elapsed seconds `json:"elapsed_s"`
	}
)

// MarshalJSON writes durations as seconds.
func (f Figures) MarshalJSON() ([]byte, error) {
	return json.Marshal(figuresJSON{plainFigures(f), seconds(f.Elapsed)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Figures) UnmarshalJSON(b []byte) error {
	var j figuresJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*f = Figures(j.plainFigures)
	f.Elapsed = time.Duration(j.Elapsed)
	return nil
}
