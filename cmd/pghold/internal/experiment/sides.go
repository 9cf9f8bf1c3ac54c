package experiment

import (
	"encoding/json"
	"time"
)

// Sides is how long a route's connections were silent in transaction, all together, as
// each of those says who can see it. The first three see the app's connections only.
type Sides struct {
	// Recorder is within the app: from the answer to a statement to the next statement.
	Recorder time.Duration
	// Tap is between the app and the database, as pghold watch --listen.
	Tap time.Duration
	// Sampled is from samples of pg_stat_activity, as pghold watch --dsn: what was surely
	// seen. SampledAtMost is how long what was seen may have been. Both are 0 where nothing
	// was sampled.
	Sampled, SampledAtMost time.Duration
	// Counted is by how much the server's own counter grew, of all sessions of the
	// database. 0 where it has none, or cannot be asked when it has counted all.
	Counted time.Duration
}

type sidesJSON struct {
	Recorder      seconds `json:"recorder_s"`
	Tap           seconds `json:"tap_s"`
	Sampled       seconds `json:"sampled_s,omitempty"`
	SampledAtMost seconds `json:"sampled_at_most_s,omitempty"`
	Counted       seconds `json:"counted_s,omitempty"`
}

// MarshalJSON writes seconds.
func (s Sides) MarshalJSON() ([]byte, error) {
	return json.Marshal(sidesJSON{seconds(s.Recorder), seconds(s.Tap), seconds(s.Sampled), seconds(s.SampledAtMost), seconds(s.Counted)})
}

// UnmarshalJSON reads seconds.
func (s *Sides) UnmarshalJSON(b []byte) error {
	var j sidesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Sides{time.Duration(j.Recorder), time.Duration(j.Tap), time.Duration(j.Sampled), time.Duration(j.SampledAtMost), time.Duration(j.Counted)}
	return nil
}
