package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/metrics"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/recording"
)

// outputs are where a ledger goes beside the screen.
type outputs struct {
	file     *os.File
	writer   *recording.Writer
	metrics  *http.Server
	recorded bool
}

func (c *watchCmd) outputs(s streams, ledger *watch.Ledger, where string, began time.Time) (_ *outputs, err error) {
	o := &outputs{}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if c.Metrics != "" {
		l, err := net.Listen("tcp", c.Metrics)
		if err != nil {
			return nil, fmt.Errorf("--metrics: %w: name another address", err)
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", metrics.Handler(ledger))
		o.metrics = newServer(mux)
		go o.metrics.Serve(l)
		fmt.Fprintf(s.err, "Metrics on http://%s/metrics\n", l.Addr())
	}
	if c.Record != "" {
		o.file, err = os.OpenFile(c.Record, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil, usage(fmt.Errorf("--record: %s is there already: name another file", c.Record))
		}
		if err != nil {
			return nil, fmt.Errorf("--record: %w", err)
		}
		if o.writer, err = recording.NewWriter(o.file, where, began); err != nil {
			return nil, fmt.Errorf("--record: %w", err)
		}
		ledger.OnFinish(o.writer.Add)
	}
	return o, nil
}

// end ends the recording with the report.
func (o *outputs) end(r *watch.Report) error {
	if o.writer == nil || o.recorded {
		return nil
	}
	o.recorded = true
	return errors.Join(o.writer.Close(r), o.file.Close())
}

// close closes what is open.
func (o *outputs) close() {
	if o.metrics != nil {
		o.metrics.Close()
	}
	if o.file != nil && !o.recorded {
		o.file.Close()
	}
}
