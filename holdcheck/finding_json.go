package holdcheck

import (
	"bytes"
	"encoding/json"

	"github.com/pghold/pghold"
)

// findingJSON is a finding in JSON: its worst slow call's fields are its own.
type findingJSON struct {
	ID       pghold.PlaceID `json:"id"`
	Severity Severity       `json:"severity"`
	Kind     Kind           `json:"kind"`
	Message  string         `json:"message"`
	Advice   string         `json:"advice"`
	Hold     Place          `json:"hold"`
	Slow     Place          `json:"slow"`
	Chain    []Step         `json:"chain"`
	Also     []SlowCall     `json:"also,omitempty"`
	Held     *float64       `json:"held_s,omitempty"`
}

// ignoredJSON is what is ignored, with its reason.
type ignoredJSON struct {
	findingJSON
	Reason string `json:"reason"`
}

func (f Finding) toJSON() findingJSON {
	c := f.Worst()
	j := findingJSON{
		ID: c.ID, Severity: c.Severity, Kind: c.Kind, Message: f.Message, Advice: f.Advice,
		Hold: f.Hold, Slow: c.Place, Chain: c.Chain, Held: f.Held,
	}
	if len(f.Calls) > 1 {
		j.Also = f.Calls[1:]
	}
	return j
}

func (j findingJSON) finding() Finding {
	worst := SlowCall{ID: j.ID, Severity: j.Severity, Kind: j.Kind, Place: j.Slow, Chain: j.Chain}
	return Finding{
		Message: j.Message, Advice: j.Advice, Hold: j.Hold, Held: j.Held,
		Calls: append([]SlowCall{worst}, j.Also...),
	}
}

// MarshalJSON implements json.Marshaler.
func (f Finding) MarshalJSON() ([]byte, error) { return marshal(f.toJSON()) }

// UnmarshalJSON implements json.Unmarshaler.
func (f *Finding) UnmarshalJSON(text []byte) error {
	var j findingJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*f = j.finding()
	return nil
}

// MarshalJSON implements json.Marshaler.
func (i Ignored) MarshalJSON() ([]byte, error) {
	return marshal(ignoredJSON{i.Finding.toJSON(), i.Reason})
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *Ignored) UnmarshalJSON(text []byte) error {
	var j ignoredJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*i = Ignored{j.finding(), j.Reason}
	return nil
}

// marshal is json.Marshal without escapes for HTML, which are the caller's to choose:
// there is a > in each ID.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
