package holdcheck

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// The sentence is made of what is held, of the slow call and of its kind.
func TestFinding_Message(t *testing.T) {
	const since = " since pay.go:12"
	for _, c := range []struct {
		held          catalog.Handle
		what, library string
		kind          Kind
		want          string
	}{
		{catalog.Transaction, "http.Client.Do", "http.Client.Do", HTTP, "http.Client.Do is called while a transaction is held"},
		{catalog.Rows, "http.Client.Do", "", HTTP, "http.Client.Do is called while rows are held"},
		{catalog.Row, "f", "", HTTP, "f is called while a row is held"},
		{"", "f", "", HTTP, "f is called while a connection is held"},
		{catalog.Batch, "sdk.Ask", "http.Client.Do", HTTP, "sdk.Ask (http.Client.Do) is called while a batch is held"},
		{catalog.Session, "", "http.Client.Do", HTTP, "http.Client.Do is called while a session is held"},
		{catalog.Connection, "sql.DB.Exec", "", Checkout, "sql.DB.Exec takes a second connection from the same pool while a connection is held"},
		{catalog.Rows, "a select", "", Blocked, "a select may wait while rows are held"},
		{catalog.Rows, "f", "", Unresolved, "f could not be followed, and rows are held"},
	} {
		f := Finding{
			Hold: Place{"shop/pay.go", 12, "begin"}, handle: c.held,
			Calls: []SlowCall{{Kind: c.kind, Place: Place{"x.go", 1, c.what}, library: c.library}},
		}
		f.say()
		if f.Message != c.want+since || f.Advice != advice(c.kind) {
			t.Errorf("got %q and %q, want %q", f.Message, f.Advice, c.want+since)
		}
	}
}

// A finding's JSON has the fields of its worst slow call, and reads back.
func TestFinding_JSON(t *testing.T) {
	held := 1.5
	f := between("a", "x", High, "y")
	f.Held = &held
	was := Result{Findings: []Finding{f}, Ignored: []Ignored{{between("b", "x", Low), "it is <quick>"}}}
	text, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"findings":[{` +
		`"id":"app.a>app.x","severity":"high","kind":"http","message":"x is called while a transaction is held since a.go:1","advice":"ADVICE",` +
		`"hold":{"file":"a.go","line":1,"what":"begin"},"slow":{"file":"app.go","line":1,"what":"x"},"chain":[{"file":"app.go","line":2,"func":"app.a"}],` +
		`"also":[{"id":"app.a>app.y","severity":"low","kind":"mail","slow":{"file":"app.go","line":1,"what":"y"},"chain":[{"file":"app.go","line":2,"func":"app.a"}]}],` +
		`"held_s":1.5}],"ignored":[{` +
		`"id":"app.b>app.x","severity":"low","kind":"http","message":"x is called while a transaction is held since b.go:1","advice":"ADVICE",` +
		`"hold":{"file":"b.go","line":1,"what":"begin"},"slow":{"file":"app.go","line":1,"what":"x"},"chain":[{"file":"app.go","line":2,"func":"app.b"}],` +
		`"reason":"it is <quick>"}]}`
	escaped := strings.NewReplacer("ADVICE", advice(HTTP), ">", `\u003e`, "<", `\u003c`).Replace(want)
	if string(text) != escaped {
		t.Errorf("got  %s\nwant %s", text, escaped)
	}
	var now Result
	if err := json.Unmarshal(text, &now); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Finding{&was.Findings[0], &was.Ignored[0].Finding} { // JSON does not have these
		f.handle, f.openers = "", nil
	}
	if !reflect.DeepEqual(now, was) {
		t.Errorf("read %+v, want %+v", now, was)
	}
}
