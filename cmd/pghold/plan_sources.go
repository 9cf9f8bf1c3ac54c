package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	holds "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/recording"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// sources makes questions of what --from names: a run's folder or result, a recording, or
// one or more snapshots.
func (c *planCmd) sources(ctx context.Context, settings experiment.Settings, named map[string]bool) (a asked, err error) {
	var snapshots []*holds.Snapshot
	for _, from := range c.From {
		if info, err := os.Stat(from); err == nil && info.IsDir() {
			if len(c.From) > 1 {
				return a, onlyOne(from, "the folder of a run")
			}
			return c.ofRun(from)
		}
		b, err := c.read(ctx, from)
		if err != nil {
			return a, err
		}
		if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) { // gzip's
			if len(c.From) > 1 {
				return a, onlyOne(from, "a recording")
			}
			return c.ofRecording(from, b, settings, named)
		}
		switch r, err := experiment.ReadResult(b); {
		case err == nil && len(c.From) > 1:
			return a, onlyOne(from, "the result of a run")
		case err == nil:
			return c.ofResult(from, r)
		case filepath.Base(from) == rundir.ResultFile:
			return c.ofRun(from) // which says what to do
		}
		s, err := holds.ReadSnapshot(b)
		if err != nil {
			return a, fmt.Errorf("%s: %w", from, err)
		}
		snapshots = append(snapshots, s)
	}
	return c.ofSnapshots(snapshots, settings, named)
}

func onlyOne(from, what string) error {
	return usage(fmt.Errorf("%s is %s, of which --from takes one and nothing beside: several are added up of snapshots only", from, what))
}

func (c *planCmd) ofSnapshots(snapshots []*holds.Snapshot, settings experiment.Settings, named map[string]bool) (a asked, err error) {
	snapshot, replicas := plan.Merged(snapshots)
	if replicas > 1 {
		a.warnings = append(a.warnings, fmt.Sprintf("The snapshots are of %s, whose loads are added up.", words.Count(replicas, "replica")))
		if !named["replicas"] {
			c.Replicas = replicas
		}
	}
	if twice := len(snapshots) - replicas; twice > 0 {
		a.warnings = append(a.warnings, fmt.Sprintf("Of %s there is a later one of the same replica, which counts.", words.Count(twice, "snapshot")))
	}
	if !named["rate"] {
		a.warnings = append(a.warnings, plan.Recent(snapshot)...)
	}
	settings = c.asService(settings, named)
	if counts := func(p holds.PoolSnapshot) bool { return p.CountsOnly }; !named["pool"] && slices.ContainsFunc(snapshot.Pools, counts) {
		settings.Pool = experiment.SQLPool
	}
	if a.questions, err = plan.FromSnapshot(snapshot, settings); err != nil {
		return a, fmt.Errorf("%s: %w", strings.Join(c.From, ", "), err)
	}
	c.lasts(a.questions, named)
	a.snapshot, a.base = snapshot, settings
	if named["rate"] {
		a.rate = settings.Rate
	}
	a.settings = a.questions[0].Settings
	return a, nil
}

// asService has what nobody named be as it is with most services: requests come at random,
// to any replica, the load lasts, and its pool has no overflow and no timeout of its own:
// a wait ends when the client leaves.
func (c *planCmd) asService(settings experiment.Settings, named map[string]bool) experiment.Settings {
	if !named["duration"] {
		settings.Duration = time.Minute
	}
	if !named["arrivals"] {
		c.Arrivals = string(plan.Poisson)
	}
	if !named["random-replica"] {
		c.RandomReplica = true
	}
	if !named["pool"] {
		settings.Pool = experiment.PgxPool
	}
	if settings.Pool != experiment.QueuePool {
		if !named["pool-size"] && !named["max-overflow"] {
			settings.PoolSize, settings.MaxOverflow = settings.Connections(), 0
		}
		if !named["pool-timeout"] {
			settings.PoolTimeout = settings.ClientTimeout
		}
	}
	return settings
}

// lasts has the load of a service last, unless it is named for how long.
func (c *planCmd) lasts(qs []plan.Question, named map[string]bool) {
	for i := range qs {
		qs[i].Model.Service = !named["duration"]
	}
}

func (c *planCmd) ofRecording(from string, b []byte, settings experiment.Settings, named map[string]bool) (a asked, err error) {
	var all []watch.Transaction
	rec, err := recording.Read(bytes.NewReader(b), func(t watch.Transaction) { all = append(all, t) })
	if err != nil {
		return a, fmt.Errorf("%s: %w", from, err)
	}
	settings = c.asService(settings, named)
	took := rec.Report.To.Sub(rec.Report.From)
	if a.questions, err = plan.FromRecording(took, rec.Report.SessionsMost, all, settings); err != nil {
		return a, fmt.Errorf("%s: %w", from, err)
	}
	c.lasts(a.questions, named)
	a.settings = a.questions[0].Settings
	a.warnings = append(a.warnings, fmt.Sprintf("A recording has transactions only: how long connections are held outside of them, statements outside, and who waited in the app's pool are not in it. "+
		"The pool is taken to be of %s, the most sessions that there were; --pool-size says another.", words.Count(max(1, rec.Report.SessionsMost), "connection")))
	return a, nil
}

func (c *planCmd) ofRun(from string) (asked, error) {
	r, err := rundir.Load(from)
	if err != nil {
		return asked{}, err
	}
	return c.ofResult(from, r)
}

func (c *planCmd) ofResult(from string, r *experiment.Result) (a asked, err error) {
	if a.questions, err = plan.FromRun(r); err != nil {
		return a, fmt.Errorf("%s: %w", from, err)
	}
	if busy := plan.Busy(r); busy != "" {
		a.warnings = append(a.warnings, fmt.Sprintf("The machine was busy while the run was measured: %s. What it tells of statements, connects and calls is of that moment; measure again with nothing else running.", busy))
	}
	a.settings, a.run = r.Settings, true
	return a, nil
}

// read reads a file, or a URL: of a service's page, the snapshot.
func (c *planCmd) read(ctx context.Context, from string) ([]byte, error) {
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		b, err := os.ReadFile(from)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file or folder %s: name a snapshot, the URL of a service's page, a recording, or the folder of a run", from)
		}
		if err != nil {
			return nil, fmt.Errorf("reading --from: %w", err)
		}
		return b, nil
	}
	u, err := url.Parse(from)
	if err != nil {
		return nil, usage(fmt.Errorf("--from %s is no URL: %w", from, err))
	}
	query := u.Query()
	query.Set("format", "json")
	u.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, usage(err)
	}
	for _, header := range c.Header {
		name, value, ok := strings.Cut(header, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usage(fmt.Errorf("--header %q needs a colon between name and value, as in 'Authorization: Bearer …'", header))
		}
		if strings.EqualFold(name, "Host") {
			req.Host = strings.TrimSpace(value)
			continue
		}
		req.Header.Add(name, strings.TrimSpace(value))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		var by *url.Error
		if errors.As(err, &by) { // whose text has the URL, with a password in it maybe
			err = by.Err
		}
		return nil, fmt.Errorf("reading --from %s: %w", u.Redacted(), err)
	}
	defer res.Body.Close()
	const most = 256 << 20
	b, err := io.ReadAll(io.LimitReader(res.Body, most))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading --from %s: %w", u.Redacted(), err)
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("%s answers %s: name what it asks for with --header, as in --header 'Authorization: Bearer …'", u.Redacted(), res.Status)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s: name the address of httphold.Handler, as in http://127.0.0.1:8080/debug/holds", u.Redacted(), res.Status)
	case !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")):
		return nil, fmt.Errorf("%s is no snapshot (%s): name the address of httphold.Handler, as in http://127.0.0.1:8080/debug/holds", u.Redacted(), cmp.Or(res.Header.Get("Content-Type"), "of no type"))
	}
	return b, nil
}
