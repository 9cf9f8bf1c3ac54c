package holdcheck

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// between is a finding between two functions, with others behind the same call.
func between(hold, slow string, s Severity, also ...string) Finding {
	f := Finding{Hold: Place{hold + ".go", 1, "begin"}, handle: catalog.Transaction, openers: []string{"app." + hold}}
	add := func(slow string, s Severity, k Kind) {
		f.Calls = append(f.Calls, SlowCall{
			ID: pghold.NewPlaceID("app."+hold, "app."+slow), Severity: s, Kind: k,
			Place: Place{"app.go", len(slow), slow}, Chain: []Step{{"app.go", 2, "app." + hold}},
		})
	}
	add(slow, s, HTTP)
	for _, o := range also {
		add(o, Low, Mail)
	}
	f.say()
	return f
}

func idsOf(fs []Finding) (ids []string) {
	for _, f := range fs {
		ids = append(ids, f.Worst().ID.String())
	}
	return ids
}

func TestBaseline_HidesWhatItHas(t *testing.T) {
	was := []Finding{between("a", "x", High), between("a", "x", High), between("b", "x", Medium, "y"), between("c", "z", Low)}
	b := NewBaseline(&Result{Findings: slices.Clone(was)}, Medium)
	want := []BaselineEntry{
		{id("app.a>app.x"), 2, "x is called while a transaction is held since a.go:1"},
		{id("app.b>app.x"), 1, "x is called while a transaction is held since b.go:1"},
		{id("app.b>app.y"), 1, "y too, where x is called while a transaction is held since b.go:1"},
	}
	if !slices.Equal(b.Findings, want) {
		t.Errorf("the baseline is %+v, want %+v", b.Findings, want)
	}

	now := &Result{Findings: append(slices.Clone(was), between("a", "x", High), between("a", "w", High))}
	b.Apply(now)
	if got, want := idsOf(now.Findings), []string{"app.a>app.x", "app.a>app.w", "app.c>app.z"}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q: a third place between two functions shows, and so does what was too little to be recorded", got, want)
	}
	if now.Hidden != 3 || now.OutOfDate != nil {
		t.Errorf("%d hidden, out of date %v", now.Hidden, now.OutOfDate)
	}
}

func TestBaseline_SaysWhatIsMended(t *testing.T) {
	b := NewBaseline(&Result{Findings: []Finding{between("a", "x", High), between("a", "x", High), between("b", "x", High, "y")}}, Medium)
	now := &Result{Findings: []Finding{between("a", "x", High), between("b", "y", High)}}
	b.Apply(now)
	if len(now.Findings) != 0 {
		t.Errorf("%q shows: where a slow call is mended, those that came after it are known", idsOf(now.Findings))
	}
	var got []string
	for _, e := range now.OutOfDate {
		got = append(got, e.ID.String())
	}
	if want := []string{"app.a>app.x", "app.b>app.x"}; !slices.Equal(got, want) || now.OutOfDate[0].Count != 1 {
		t.Errorf("out of date are %+v, want one place of %q each", now.OutOfDate, want)
	}
}

func TestBaseline_NewBehindAKnownCall(t *testing.T) {
	b := NewBaseline(&Result{Findings: []Finding{between("a", "x", High)}}, Medium)
	now := &Result{Findings: []Finding{between("a", "x", High, "new")}}
	b.Apply(now)
	if got := now.Findings; len(got) != 1 || got[0].Worst().ID != id("app.a>app.new") || len(got[0].Calls) != 1 || got[0].Message != "new is called while a transaction is held since a.go:1" {
		t.Errorf("left is %+v, want the new slow call", got)
	}
}

func TestBaseline_IsWrittenAndRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "baseline.json")
	r := &Result{Findings: []Finding{between("b", "x", High), between("a", "x", High)}}
	b := NewBaseline(r, Medium)
	for range 2 { // the second time over the first
		if err := b.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "findings": [
    {
      "id": "app.a>app.x",
      "count": 1,
      "message": "x is called while a transaction is held since a.go:1"
    },
    {
      "id": "app.b>app.x",
      "count": 1,
      "message": "x is called while a transaction is held since b.go:1"
    }
  ]
}
`
	if string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	read, err := ReadBaseline(file)
	if err != nil || !slices.Equal(read.Findings, b.Findings) {
		t.Errorf("read %+v, %v", read, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left, want one", len(entries))
	}
	if err := NewBaseline(&Result{}, Low).Write(file); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "{\n  \"findings\": []\n}\n" {
		t.Errorf("an empty one is %s", text)
	}
}

func TestReadBaseline_Mistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	if _, err := ReadBaseline(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for text, want := range map[string]string{
		``:                               "ends too early",
		`{"findings": [{"id": "a>b"}]}`:  "findings[0] needs an id, and a count",
		`{"finding": []}`:                `unknown field "finding"`,
		`{"findings": [{"count": "1"}]}`: "want a whole number",
	} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBaseline(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// id is a place's name from its text.
func id(text string) (id pghold.PlaceID) {
	if err := id.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return id
}
