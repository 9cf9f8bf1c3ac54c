package live_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"github.com/pghold/pghold/cmd/pghold/internal/browser"
	"github.com/pghold/pghold/cmd/pghold/internal/report/live"
	"github.com/pghold/pghold/internal/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listener lets a test cut the connections that it has accepted.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

func start(t *testing.T) (*live.Page, *listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l)
}

func startOn(t *testing.T, l net.Listener) (*live.Page, *listener) {
	t.Helper()
	cuttable := &listener{Listener: l}
	p := live.StartOn(cuttable, "a run", "body { color: #111; background: #fff }")
	t.Cleanup(p.Close)
	return p, cuttable
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// waitFor waits until an expression is true in the page.
func waitFor(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		t.Fatalf("waiting for %s: %v", expression, err)
	}
}

func says(text string) string { return fmt.Sprintf("document.body.innerText.includes(%q)", text) }

// A viewer sees cards as they change, has everything again after loading the page
// again and after a lost connection, and gets the report at the end.
func TestPage_InABrowser(t *testing.T) {
	ctx := browser.Open(t, "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_CONNECTION") // of the connection that is cut
	p, l := start(t)
	p.Status("1 of 2")
	p.Finish("card-one", text("<h2>the first</h2>"))
	var n atomic.Int32
	p.Show("card-two", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "<h2>the second, drawn %d times</h2>", n.Add(1))
		return err
	})
	if err := chromedp.Do(ctx, chromedp.Navigate(p.URL())); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, says("the first")+" && "+says("drawn 2 times")+" && "+says("1 of 2"))

	p.Status("2 of 2")
	p.Finish("card-two", text("<h2>the second is done</h2>"))
	waitFor(t, ctx, says("is done")+" && "+says("2 of 2"))
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, says("the first")+" && "+says("is done")+" && "+says("2 of 2"))
	drawn := n.Load()

	l.cut()
	p.Show("card-three", text("<h2>what came while nobody could see it</h2>"))
	waitFor(t, ctx, says("nobody could see it")+" && "+says("the first")+" && !"+says("lost"))

	p.End([]byte("<main><h1>the report</h1></main>"))
	waitFor(t, ctx, says("the report")+" && !"+says("the first"))
	if n.Load() != drawn {
		t.Error("a finished card was drawn again")
	}
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, says("the report"))
}

func get(t *testing.T, url, host string) (*http.Response, string) {
	t.Helper()
	return getBy(t, &http.Transport{DisableKeepAlives: true}, url, host)
}

func getBy(t *testing.T, transport *http.Transport, url, host string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestPage_Guards(t *testing.T) {
	p, _ := start(t)
	res, body := get(t, p.URL(), "")
	policy := res.Header.Get("Content-Security-Policy")
	script, _, _ := strings.Cut(policy[strings.Index(policy, "script-src"):], ";")
	if script != "script-src 'self'" || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q, want scripts of its own files only", policy)
	}
	if res.StatusCode != 200 || !strings.Contains(body, "a run") {
		t.Errorf("the page is %d %s", res.StatusCode, body)
	}
	if res, _ := get(t, p.URL(), "evil.example:80"); res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("asked for under another name it answers %d", res.StatusCode)
	}
	if res, _ := get(t, p.URL()+"etc/passwd", ""); res.StatusCode != 404 {
		t.Errorf("another path is answered %d", res.StatusCode)
	}
}

// Text from outside cannot end an event: it is JSON on one line.
func TestPage_HostileText(t *testing.T) {
	p, _ := start(t)
	p.Status("</script><script>alert(1)</script>\n\nevent: end\ndata: \"x\"\n")
	p.Finish("card", text("one\nevent: end\ndata: \"gone\"\n\ntwo"))
	if _, body := get(t, p.URL(), ""); strings.Contains(body, "<script>alert") {
		t.Errorf("the page has a script of the status's: %s", body)
	}
	p.End([]byte("the end"))
	_, events := get(t, p.URL()+"events", "")
	ends := 0
	for line := range strings.Lines(events) {
		if strings.HasPrefix(line, "event: end") {
			ends++
		}
	}
	if ends != 1 || !strings.HasSuffix(events, "data: \"the end\"\n\n") {
		t.Errorf("%d ends in %q", ends, events)
	}
}

// lost is a page that has ended, in a network in memory, with a viewer whose connection
// was lost just before. It is called in a bubble.
func lost(t *testing.T) (*live.Page, *http.Transport) {
	t.Helper()
	var network memnet.Network
	l, err := network.Listen()
	if err != nil {
		t.Fatal(err)
	}
	p, cuttable := startOn(t, l)
	transport := &http.Transport{DialContext: network.Dial, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Get(p.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	cuttable.cut()
	res.Body.Close()
	live.AwaitAway(p)
	p.End([]byte("the report"))
	return p, transport
}

// A viewer whose connection was lost just before the end gets the report when he comes
// back, although the page is being closed.
func TestPage_WaitsForWhoWasLost(t *testing.T) {
	for name, path := range map[string]string{"tries again": "events", "loads the page again": ""} {
		for _, after := range []time.Duration{live.Comeback / 2, live.Comeback - time.Nanosecond} {
			synctest.Test(t, func(t *testing.T) {
				p, transport := lost(t)
				closed := make(chan time.Time, 1)
				go func() {
					p.Close()
					closed <- time.Now()
				}()
				time.Sleep(after)
				came := time.Now()
				if _, got := getBy(t, transport, p.URL()+path, ""); !strings.Contains(got, "the report") {
					t.Errorf("who %s after %v gets %q", name, after, got)
				}
				// Shutdown looks at its connections every now and then, first after a moment.
				if more := (<-closed).Sub(came); more >= live.Comeback/2 {
					t.Errorf("when %s, Close took %v more", name, more)
				}
			})
		}
	}
}

// One who does not come back is not waited for any longer than he has time to.
func TestPage_DoesNotWaitForWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := lost(t)
		began := time.Now()
		p.Close()
		if took := time.Since(began); took != live.Comeback {
			t.Errorf("Close took %v, want %v", took, live.Comeback)
		}
	})
}

// A finished card keeps nothing of what it was drawn of.
func TestPage_LetsGoOfWhatIsDrawn(t *testing.T) {
	p, _ := start(t)
	gone := make(chan struct{})
	show := func(trace *[1 << 20]byte) {
		runtime.AddCleanup(trace, func(int) { close(gone) }, 0)
		draw := func(w io.Writer) error { _, err := w.Write(trace[:1]); return err }
		p.Show("card", draw)
		p.Finish("card", draw)
	}
	show(new([1 << 20]byte))
	for giveUp := time.After(time.Minute); ; runtime.GC() {
		select {
		case <-gone: // which a goroutine of the runtime's says
			return
		case <-giveUp:
			t.Fatal("what a finished card was drawn of is still in memory")
		default:
		}
	}
}

// Who comes sees every card at once, and a new card as it comes: none is empty until
// the next time that all are drawn.
func TestPage_DrawsAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := live.StartSeldom(l)
	t.Cleanup(p.Close)
	p.Show("before", text("it was there"))
	events := look(t, p)
	awaitLine(t, events, "it was there")
	p.Show("after", text("it came"))
	awaitLine(t, events, "it came")
}

// look opens the page's events, as its script does.
func look(t *testing.T, p *live.Page) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", p.URL()+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return bufio.NewScanner(res.Body)
}

func awaitLine(t *testing.T, lines *bufio.Scanner, part string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), part) {
			return
		}
	}
	t.Fatalf("the events ended before %q: %v", part, lines.Err())
}

// Nothing is drawn while nobody looks.
func TestPage_DrawsOnlyForViewers(t *testing.T) {
	p, _ := start(t)
	drawn := make(chan struct{}, 100)
	p.Show("card", func(w io.Writer) error { drawn <- struct{}{}; return nil })
	live.DrawOnce(p)
	if len(drawn) != 0 {
		t.Error("drawn although nobody looks")
	}
	look(t, p)
	<-drawn
}

func TestPage_ADrawingThatFails(t *testing.T) {
	p, _ := start(t)
	p.Finish("card", func(io.Writer) error { return fmt.Errorf("no <b>ink</b>") })
	if _, body := get(t, p.URL(), ""); !strings.Contains(body, "This could not be drawn: no &lt;b&gt;ink") {
		t.Errorf("got %s", body)
	}
}
