// Package recording keeps a ledger in a file: each transaction as it ends, and the whole
// report at the end. A file that was cut off, because the program or the machine ended,
// still has what was written until a second before.
//
// It is lines of JSON, compressed with gzip: {"pghold_watch": 1, …} says what it is and of
// which version, {"transaction": …} is one, {"report": …} the end. A transaction is as
// pghold watch --json has it: it holds shapes of statements, and no values.
package recording

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// version is the version of the format. Read refuses a newer one.
const version = 1

// head is the first line.
type head struct {
	Version int       `json:"pghold_watch"`
	Source  string    `json:"source"`
	From    time.Time `json:"from"`
}

// line is any other.
type line struct {
	Transaction *watch.Transaction `json:"transaction,omitempty"`
	Report      *watch.Report      `json:"report,omitempty"`
	// Dropped is how many transactions are not in the file, because it was written too slowly.
	Dropped int `json:"dropped,omitempty"`
}

const (
	// waiting is how many transactions may wait for being written.
	waiting = 8192
	// flushEvery is how much of a recording may be lost, in time.
	flushEvery = time.Second
)

// Writer writes a recording. Add may be called by many goroutines, and does not wait.
type Writer struct {
	out     io.Writer
	zip     *gzip.Writer
	lines   *json.Encoder
	more    chan watch.Transaction
	done    chan struct{} // closed when all is written that was given
	dropped int           // written by Add's callers, one at a time, and read after them
	err     error         // read when done
}

// NewWriter begins a recording.
func NewWriter(out io.Writer, source string, from time.Time) (*Writer, error) {
	w := &Writer{out: out, zip: gzip.NewWriter(out), more: make(chan watch.Transaction, waiting), done: make(chan struct{})}
	w.lines = json.NewEncoder(w.zip)
	if err := w.lines.Encode(head{version, source, from}); err != nil {
		return nil, err
	}
	if err := w.zip.Flush(); err != nil {
		return nil, err
	}
	go w.write()
	return w, nil
}

// Add adds a transaction, one at a time, as watch.Ledger's OnFinish has it. Where the
// file is not written as fast, it is dropped, and counted.
func (w *Writer) Add(t watch.Transaction) {
	select {
	case w.more <- t:
	default:
		w.dropped++
	}
}

func (w *Writer) write() {
	defer close(w.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	fresh := false
	for {
		select {
		case t, ok := <-w.more:
			if !ok {
				return
			}
			if w.err == nil {
				w.err = w.lines.Encode(line{Transaction: &t})
				fresh = true
			}
		case <-tick.C:
			if fresh && w.err == nil {
				w.err = w.zip.Flush()
				fresh = false
			}
		}
	}
}

// Close ends the recording with the report. Nothing is added afterwards.
func (w *Writer) Close(r *watch.Report) error {
	close(w.more)
	<-w.done
	if w.err != nil {
		return w.err
	}
	return errors.Join(w.lines.Encode(line{Report: r, Dropped: w.dropped}), w.zip.Close())
}

// Recording is what was read.
type Recording struct {
	Source string // what it was recorded from
	Report *watch.Report
	// CutOff is that the file has no end. Then the report is made of the transactions in
	// it: statements outside of transactions are not counted, nor what had not ended.
	CutOff  bool
	Dropped int // transactions that were not written, as the file was too slow
}

// ErrFormat is that a file is no recording.
var ErrFormat = errors.New("this is no recording of pghold watch")

// Read reads a recording. It calls each with its transactions, where each is not nil.
func Read(in io.Reader, each func(watch.Transaction)) (*Recording, error) {
	zip, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return nil, ErrFormat
	}
	lines := json.NewDecoder(zip)
	var first head
	switch err := lines.Decode(&first); {
	case err != nil || first.Version == 0:
		return nil, ErrFormat
	case first.Version > version:
		return nil, fmt.Errorf("its format is version %d, and this program knows %d: use a newer pghold", first.Version, version)
	}
	rec := &Recording{Source: first.Source}
	ledger, last := watch.New(first.From), first.From
	for {
		var l line
		switch err := lines.Decode(&l); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			rec.CutOff, rec.Report = true, ledger.Report(last)
			return rec, nil
		case err != nil:
			return nil, fmt.Errorf("the recording is damaged: %w", err)
		case l.Transaction != nil:
			if each != nil {
				each(*l.Transaction)
			}
			ledger.Add(*l.Transaction)
			if end := l.Transaction.StartedAt.Add(time.Duration(l.Transaction.S)); end.After(last) {
				last = end
			}
		case l.Report != nil:
			rec.Report, rec.Dropped = l.Report, l.Dropped
			return rec, nil
		}
	}
}
