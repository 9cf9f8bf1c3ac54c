package prove

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// recorder is a service's own recorder (package pghold), which knows what it did in its
// gaps.
type recorder struct {
	url  string
	dial Dial
}

// ErrNoSnapshot is the error of a URL that gives none.
var ErrNoSnapshot = errors.New("no snapshot of a recorder is there: it is the address of httphold.Handler, as http://127.0.0.1:8080/debug/holds")

// CheckHolds asks a service's recorder.
func CheckHolds(ctx context.Context, address string, dial Dial) error {
	_, err := (&recorder{address, dial}).snapshot(ctx)
	return err
}

func (r *recorder) snapshot(ctx context.Context) (*pghold.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	u, err := url.Parse(r.url)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("format", "json")
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: r.dial, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	s, err := pghold.ReadSnapshot(b)
	if res.StatusCode != http.StatusOK || err != nil {
		return nil, fmt.Errorf("%w (it answers %d)", ErrNoSnapshot, res.StatusCode)
	}
	return s, nil
}

// mostFilled is how many slow calls are kept of a route.
const mostFilled = 5

// filled are the slow calls inside holds, from one snapshot to another, the costliest
// first.
func filled(before, after *pghold.Snapshot) []experiment.Filled {
	type key struct{ what, where string }
	sums := map[key]*experiment.Filled{}
	add := func(s *pghold.Snapshot, sign int) {
		for _, series := range s.Series {
			for _, c := range series.SlowCalls {
				k := key{c.What, c.Site.String()}
				f := sums[k]
				if f == nil {
					f = &experiment.Filled{What: k.what, Where: k.where}
					sums[k] = f
				}
				f.Count += sign * int(c.Count)
				f.S += experiment.Seconds(sign) * experiment.Seconds(c.Duration)
			}
		}
	}
	add(before, -1)
	add(after, 1)
	var all []experiment.Filled
	for _, f := range sums {
		if f.Count > 0 && f.S > 0 {
			all = append(all, *f)
		}
	}
	slices.SortFunc(all, func(a, b experiment.Filled) int {
		return cmp.Or(cmp.Compare(b.S, a.S), cmp.Compare(a.What, b.What), cmp.Compare(a.Where, b.Where))
	})
	return all[:min(len(all), mostFilled)]
}
