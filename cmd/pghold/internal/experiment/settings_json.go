package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// MarshalJSON writes every duration as seconds. What is off is left out.
func (s Settings) MarshalJSON() ([]byte, error) {
	return s.marshal(func(Setting) bool { return true })
}

func (s Settings) marshal(wanted func(Setting) bool) ([]byte, error) {
	b := []byte{'{'}
	for _, t := range table {
		if !wanted(t) || t.omit && t.IsOff(s) {
			continue
		}
		v := t.In(s)
		if d, ok := v.(time.Duration); ok {
			v = seconds(d)
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.key, err)
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%q:%s", t.key, value)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON wrote. What is not there has its default: an
// earlier version did not write it, or it is off.
func (s *Settings) UnmarshalJSON(b []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	*s = Defaults()
	for _, t := range table {
		value, ok := values[t.key]
		if !ok {
			continue
		}
		into := t.in(s)
		if d, ok := into.(*time.Duration); ok {
			into = (*seconds)(d)
		}
		if err := json.Unmarshal(value, into); err != nil {
			return fmt.Errorf("%s: %w", t.key, err)
		}
	}
	return nil
}

// seconds is a duration as JSON has it: a number of seconds.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(s) / float64(time.Second))
}

func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if math.Abs(f) > math.MaxInt64/float64(time.Second) {
		return fmt.Errorf("%v s is longer than a duration can be", f)
	}
	*s = seconds(math.Round(f * float64(time.Second)))
	return nil
}
