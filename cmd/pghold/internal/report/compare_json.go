package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

type comparisonJSON struct {
	Kind     string       `json:"kind"` // "comparison"
	A        sideJSON     `json:"a"`
	B        sideJSON     `json:"b"`
	Settings []changeJSON `json:"settings"`
	// BeforeAndAfter has a line for each route of a service.
	BeforeAndAfter []string        `json:"before_and_after,omitempty"`
	Routes         []routeCompared `json:"routes"`
	OnlyA          []string        `json:"only_in_a"`
	OnlyB          []string        `json:"only_in_b"`
	Warnings       []string        `json:"warnings"`
}

type sideJSON struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`
	Version     string     `json:"version,omitempty"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	Repeat      int        `json:"repeat,omitempty"`
	Interrupted bool       `json:"interrupted,omitempty"`
	NotValid    string     `json:"not_valid,omitempty"` // why
}

// changeJSON is a setting that differs, by its name in a result's JSON; null where a
// side leaves it out, which means that it is off.
type changeJSON struct {
	Name string `json:"name"`
	A    any    `json:"a"`
	B    any    `json:"b"`
}

type routeCompared struct {
	Name     string           `json:"name"`
	Settings []changeJSON     `json:"settings"` // all that differ for this route
	Figures  []figureCompared `json:"figures"`
}

type figureCompared struct {
	Name     string       `json:"name"`
	A        *summaryJSON `json:"a"` // null: it has no such figure
	B        *summaryJSON `json:"b"`
	Change   *float64     `json:"change_ratio"` // (b - a)/a; null where that cannot be said
	Verdict  Verdict      `json:"verdict"`
	P        *float64     `json:"p"` // null where nothing was compared
	Warnings []string     `json:"warnings"`
}

type summaryJSON struct {
	Runs   int      `json:"runs"`
	Median float64  `json:"median"`
	Low    *float64 `json:"low"` // null: there are too few runs for an interval
	High   *float64 `json:"high"`
}

// JSON writes the comparison as one indented document with a newline at its end.
func (c *Comparison) JSON(w io.Writer) error {
	side := func(s Side) sideJSON {
		r := s.Result
		return sideJSON{s.Name, r.Kind, r.Version, r.StartedAt, r.Repeat, r.Interrupted, r.NotValid()}
	}
	doc := comparisonJSON{
		Kind: "comparison", A: side(c.A), B: side(c.B),
		BeforeAndAfter: c.sentences(), Routes: []routeCompared{}, OnlyA: listed(c.OnlyA), OnlyB: listed(c.OnlyB), Warnings: listed(c.warnings()),
	}
	var err error
	if doc.Settings, err = changedSettings(c.A.Result.Settings, c.B.Result.Settings); err != nil {
		return err
	}
	for _, ch := range serviceChanges(c.A.Result, c.B.Result) {
		doc.Settings = append(doc.Settings, changeJSON{ch.name, ch.a, ch.b})
	}
	for _, r := range c.Routes {
		route := routeCompared{Name: r.Name, Figures: []figureCompared{}}
		of := func(s Side) experiment.Settings { return s.Result.SettingsOf(s.Result.Route(r.Name)) }
		if route.Settings, err = changedSettings(of(c.A), of(c.B)); err != nil {
			return err
		}
		for _, ch := range attackChanges(c.A.Result, c.B.Result, r.Name) {
			route.Settings = append(route.Settings, changeJSON{ch.name, ch.a, ch.b})
		}
		for _, f := range r.Figures {
			route.Figures = append(route.Figures, figureCompared{
				Name: f.Path, A: f.A.json(), B: f.B.json(), Change: orNull(f.Change),
				Verdict: f.Verdict, P: orNull(f.P), Warnings: listed(f.Warnings),
			})
		}
		doc.Routes = append(doc.Routes, route)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing the comparison as JSON: %w", err)
	}
	_, err = w.Write(printable.JSON(b.Bytes()))
	return err
}

func (s Summary) json() *summaryJSON {
	if s.Runs == 0 {
		return nil
	}
	return &summaryJSON{s.Runs, s.Median, orNull(s.Low), orNull(s.High)}
}

// orNull is a number as JSON can have it.
func orNull(v float64) *float64 {
	if !words.Finite(v) {
		return nil
	}
	return &v
}

// listed is a list that is never null.
func listed(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// changedSettings are the settings that differ, by name.
func changedSettings(a, b experiment.Settings) ([]changeJSON, error) {
	byName := func(s experiment.Settings) (m map[string]any, err error) {
		doc, err := json.Marshal(s)
		if err != nil {
			return nil, fmt.Errorf("writing settings as JSON: %w", err)
		}
		return m, json.Unmarshal(doc, &m)
	}
	ofA, err := byName(a)
	if err != nil {
		return nil, err
	}
	ofB, err := byName(b)
	if err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Keys(ofA))
	names = slices.AppendSeq(names, maps.Keys(ofB))
	slices.Sort(names)
	changed := []changeJSON{}
	for _, n := range slices.Compact(names) {
		if ofA[n] != ofB[n] {
			changed = append(changed, changeJSON{n, ofA[n], ofB[n]})
		}
	}
	return changed, nil
}
