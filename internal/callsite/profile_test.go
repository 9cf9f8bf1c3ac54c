package callsite

import (
	"context"
	"fmt"
	"reflect"
	"runtime/pprof"
	"testing"
)

// A profile that comes in small pieces, with lines that are not understood, is read
// all the same.
func TestProfile_Write(t *testing.T) {
	const text = "goroutine profile: total 3\n" +
		"12 @ 0x1 0x2\n# labels: {\"a\":\"b\", \"pghold\":\"7\"}\n#\t0x1\tmain.a+0x12\t\t/src/a.go:12\n#\tbroken\n#\t0x2\tmain.f[...]+0x1\t/with:colon/f.go:3\n\n" +
		"1 @ 0x1\n# labels: {\"pghold\":\"8\"}\n#\t0x1\tmain.b+0x12\t/src/b.go:12\n\n" +
		"3 @ 0x1\n#\t0x1\tmain.c+0x12\t/src/c.go:12\n\n" +
		"1 @ 0x1\n# labels: {\"pghold\":\"7\"}\n"
	for size := 1; size <= len(text); size++ {
		g := goroutines{key: "pghold", byLabel: map[string][]Goroutines{"7": nil, "": nil}}
		for p := []byte(text); len(p) > 0; p = p[min(size, len(p)):] {
			g.Write(p[:min(size, len(p))])
		}
		want := map[string][]Goroutines{
			"7": {{12, []Site{{"main.a", "/src/a.go", 12}, {"main.f[...]", "/with:colon/f.go", 3}}}},
			"":  {{3, []Site{{"main.c", "/src/c.go", 12}}}},
		}
		if !reflect.DeepEqual(g.byLabel, want) {
			t.Fatalf("in pieces of %d: got %+v, want %+v", size, g.byLabel, want)
		}
	}
}

func TestWhere(t *testing.T) {
	app := Site{"main.charge", "/app/charge.go", 41}
	client := Site{"net/http.(*Client).Do", "/go/src/net/http/client.go", 590}
	inner := Site{"net/http.(*Transport).roundTrip", "/go/src/net/http/transport.go", 670}
	sdk := Site{"example.com/sdk.Call", "/sdk/sdk.go", 3}
	driver := Site{"github.com/jackc/pgx/v5.(*Conn).Query", "/pgx/conn.go", 7}
	for want, frames := range map[string][]Site{
		"net/http.(*Client).Do ← charge.go:41": {inner, client, app},
		"example.com/sdk.Call ← charge.go:41":  {inner, client, sdk, app},
		"net/http.(*Client).Do ← sdk.go:3":     {inner, client, sdk, driver},
		"main.charge at charge.go:41":          {app, client},
		"net/http.(*Transport).roundTrip":      {inner, client},
		"an unknown place":                     nil,
	} {
		if got := Where(frames, nil); got != want {
			t.Errorf("%+v: got %q, want %q", frames, got, want)
		}
	}
}

// Of a real profile, the stacks of the goroutines that are asked for are read.
func TestProfile(t *testing.T) {
	stop, waits := make(chan struct{}), make(chan struct{})
	defer close(stop)
	for _, label := range []string{"a", "b"} {
		go pprof.Do(t.Context(), pprof.Labels("callsite", label), func(context.Context) { waitFor(stop, waits) })
		<-waits
	}
	byLabel := map[string][]Goroutines{"b": nil, "c": nil}
	Profile("callsite", byLabel, false)
	if len(byLabel) != 2 || len(byLabel["b"]) != 1 || byLabel["b"][0].Count != 1 || len(byLabel["c"]) != 0 {
		t.Fatalf("got %+v, want one stack for b", byLabel)
	}
	frames := byLabel["b"][0].Frames
	if i := Application(frames, nil); i < 0 || frames[i].Func != here+".waitFor" || frames[i].Line == 0 {
		t.Errorf("got %+v, want the innermost line of the application in waitFor", frames)
	}
}

// With all, goroutines of all labels are read, each kind of stack of few.
func TestProfile_All(t *testing.T) {
	stop, waits := make(chan struct{}), make(chan struct{})
	defer close(stop)
	go pprof.Do(t.Context(), pprof.Labels("callsite", "all"), func(context.Context) { waitFor(stop, waits) })
	<-waits
	byLabel := map[string][]Goroutines{}
	Profile("callsite", byLabel, true)
	if len(byLabel["all"]) != 1 || len(byLabel[""]) == 0 {
		t.Errorf("got %+v, want one stack with the label, and some without a label", byLabel)
	}
	g := goroutines{key: "k", byLabel: byLabel, all: true}
	for i := range 2 * maxGoroutines {
		fmt.Fprintf(&g, "1 @ 0x%x\n# labels: {\"k\":\"many\"}\n#\t0x1\tmain.a+0x1\t/src/a.go:%d\n\n", i, i)
	}
	if n := len(byLabel["many"]); n != maxGoroutines {
		t.Errorf("%d stacks of one label are kept, want %d", n, maxGoroutines)
	}
}

//go:noinline
func waitFor(stop, waits chan struct{}) { waits <- struct{}{}; <-stop }
