package recording_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/recording"
)

// record makes a ledger with some transactions, and its recording.
func record(t *testing.T, out *bytes.Buffer, transactions int) (*watch.Ledger, *recording.Writer) {
	t.Helper()
	ledger := watch.New(time.Now())
	w, err := recording.NewWriter(out, "127.0.0.1:6432", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ledger.OnFinish(w.Add)
	s := ledger.Open(watch.Client{PID: 7, Application: "shop", User: "u", Database: "d", Address: "local"})
	for i := range transactions {
		s.Text(fmt.Appendf(nil, "select %d", i))
		s.Sent(time.Now())
		time.Sleep(time.Millisecond)
		s.Ready(time.Now(), 'T', false)
		time.Sleep(time.Duration(i+1) * 10 * time.Millisecond)
		s.Sent(time.Now())
		time.Sleep(time.Millisecond)
		s.Ready(time.Now(), 'I', false)
	}
	return ledger, w
}

func document(t *testing.T, r *watch.Report) string {
	t.Helper()
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What was recorded is what is read.
func TestRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		ledger, w := record(t, &file, 150)
		want := ledger.Report(time.Now())
		if err := w.Close(want); err != nil {
			t.Fatal(err)
		}
		each := 0
		got, err := recording.Read(&file, func(tx watch.Transaction) {
			if each++; time.Duration(tx.Silent) != time.Duration(each)*10*time.Millisecond || len(tx.Gaps) != 1 {
				t.Errorf("transaction %d is %+v", each, tx)
			}
		})
		if err != nil || got.CutOff || got.Dropped != 0 || got.Source != "127.0.0.1:6432" || each != 150 {
			t.Fatalf("got %+v, %v, with %d transactions", got, err, each)
		}
		if document(t, got.Report) != document(t, want) {
			t.Errorf("got\n%s\nwant\n%s", document(t, got.Report), document(t, want))
		}
	})
}

// A file that was cut off has what was written until a second before.
func TestRecording_CutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		ledger, w := record(t, &file, 20)
		time.Sleep(time.Second)
		synctest.Wait()
		cut := bytes.Clone(file.Bytes())
		want := ledger.Report(time.Now())
		w.Close(want)
		got, err := recording.Read(bytes.NewReader(cut), nil)
		if err != nil || !got.CutOff {
			t.Fatalf("got %+v, %v", got, err)
		}
		r := got.Report
		if r.Transactions != 20 || r.Silent != want.Silent || r.LongestSilent != want.LongestSilent || len(r.Groups) != 1 || r.Groups[0].Gaps != 20 || r.Groups[0].Silent != want.Groups[0].Silent {
			t.Errorf("got\n%s\nwant as in\n%s", document(t, r), document(t, want))
		}
		// Anywhere else it ends with what is whole.
		for n := range cut {
			if got, err := recording.Read(bytes.NewReader(cut[:n]), nil); err != nil && !errors.Is(err, recording.ErrFormat) || err == nil && got.Report.Transactions > 20 {
				t.Errorf("cut at %d of %d: %+v, %v", n, len(cut), got, err)
			}
		}
	})
}

// What is only a sum in a transaction is no group of short gaps.
func TestRecording_CutOffWithManyGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		ledger := watch.New(time.Now())
		w, err := recording.NewWriter(&file, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ledger.OnFinish(w.Add)
		s := ledger.Open(watch.Client{})
		for range 50 {
			s.Text([]byte("select 1"))
			s.Sent(time.Now())
			s.Ready(time.Now(), 'T', false)
			time.Sleep(time.Second)
		}
		s.Sent(time.Now())
		s.Ready(time.Now(), 'I', false)
		time.Sleep(time.Second)
		synctest.Wait()
		cut := bytes.Clone(file.Bytes())
		w.Close(ledger.Report(time.Now()))
		got, err := recording.Read(bytes.NewReader(cut), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got.Report.Groups {
			want := map[string]watch.Group{
				"SELECT ?":  {Gaps: 20, Silent: watch.Seconds(20 * time.Second), Longest: watch.Seconds(time.Second)},
				watch.Other: {Gaps: 30, Silent: watch.Seconds(30 * time.Second)},
			}[g.After]
			if g.Gaps != want.Gaps || g.Silent != want.Silent || g.Longest != want.Longest {
				t.Errorf("group %+v, want %+v", g, want)
			}
		}
		if len(got.Report.Groups) != 2 {
			t.Errorf("%d groups", len(got.Report.Groups))
		}
	})
}

func TestRead_Refuses(t *testing.T) {
	zip := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(text))
		w.Close()
		return b.String()
	}
	for _, c := range []struct{ name, file, want string }{
		{"nothing", "", "no recording"},
		{"text", "hello", "no recording"},
		{"another's", zip(`{"a": 1}`), "no recording"},
		{"a newer one", zip(`{"pghold_watch": 2}`), "use a newer pghold"},
		{"damaged", zip(`{"pghold_watch": 1}` + "\nhello"), "damaged"},
	} {
		if _, err := recording.Read(strings.NewReader(c.file), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
