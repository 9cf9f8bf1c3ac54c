package holdcheck

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pghold/pghold"
)

// Baseline is what was there when somebody began to check: findings that are to be
// mended one day, and are not told of until then. It knows them by their IDs, so
// that it stays when lines move.
type Baseline struct {
	// Findings has an entry for each ID, in the order of the IDs.
	Findings []BaselineEntry `json:"findings"`
}

// BaselineEntry is what a baseline knows of one ID.
type BaselineEntry struct {
	ID pghold.PlaceID `json:"id"`
	// Count is how many places there were between the two functions.
	Count int `json:"count"`
	// Message is for who reads the file: that of the first of these findings.
	Message string `json:"message"`
}

// NewBaseline makes a baseline of the findings that are at least so bad. Those are
// recorded with all slow calls that they can lead to: where one is mended, the others
// are still known.
func NewBaseline(r *Result, least Severity) *Baseline {
	entries := map[pghold.PlaceID]*BaselineEntry{}
	for _, f := range r.Findings {
		if !f.Worst().Severity.AtLeast(least) {
			continue
		}
		for i, c := range f.Calls {
			message := f.Message
			if i > 0 {
				message = c.Place.What + " too, where " + f.Message
			}
			e := entries[c.ID]
			if e == nil {
				e = &BaselineEntry{ID: c.ID, Message: message}
				entries[c.ID] = e
			}
			e.Count++
		}
	}
	b := &Baseline{Findings: []BaselineEntry{}}
	for _, e := range entries {
		b.Findings = append(b.Findings, *e)
	}
	slices.SortFunc(b.Findings, func(a, b BaselineEntry) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return b
}

// ReadBaseline reads a baseline from a file.
func ReadBaseline(file string) (*Baseline, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var b Baseline
	if err := decodeStrictly(text, &b); err != nil {
		return nil, fmt.Errorf("%s is no baseline: %w", file, err)
	}
	for i, e := range b.Findings {
		if e.ID == (pghold.PlaceID{}) || e.Count < 1 {
			return nil, fmt.Errorf("%s is no baseline: findings[%d] needs an id, and a count of 1 or more", file, i)
		}
	}
	return &b, nil
}

// Write writes the baseline to a file: whole, or not at all.
func (b *Baseline) Write(file string) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // there is a > in each ID
	enc.SetIndent("", "  ")
	if err := enc.Encode(b); err != nil {
		return err
	}
	unfinished, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-unfinished-")
	if err != nil {
		return err
	}
	defer os.Remove(unfinished.Name()) // nothing is there once it has its name
	_, err = unfinished.Write(text.Bytes())
	err = cmp.Or(err, unfinished.Chmod(0o644), unfinished.Close())
	if err != nil {
		return err
	}
	return os.Rename(unfinished.Name(), file)
}

// Apply takes the findings that the baseline knows out of r, at most as many of each
// ID as it recorded, and says in r how many these were and what of the baseline is
// out of date.
func (b *Baseline) Apply(r *Result) {
	left := map[pghold.PlaceID]int{}
	for _, e := range b.Findings {
		left[e.ID] += e.Count
	}
	var kept []Finding
	for _, f := range r.Findings {
		rest, known := split(f, func(c SlowCall) bool {
			left[c.ID]--
			return left[c.ID] >= 0
		})
		if rest != nil {
			kept = append(kept, *rest)
		}
		if known != nil {
			r.Hidden++
		}
	}
	r.Findings = kept
	for _, e := range b.Findings {
		if n := left[e.ID]; n > 0 {
			e.Count = n
			r.OutOfDate = append(r.OutOfDate, e)
		}
	}
	sortFindings(r.Findings)
}
