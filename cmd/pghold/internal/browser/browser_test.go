package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/pghold/pghold/cmd/pghold/internal/browser"
)

// recorder is a test that only writes down what it is told.
type recorder struct {
	testing.TB
	wrong []string
	ends  []func()
}

func (r *recorder) Cleanup(f func()) { r.ends = append(r.ends, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// What the tests of pages rely on: what no page may do is found, unless the test expects
// it.
func TestOpen_failsTheTestForWhatThePageDoes(t *testing.T) {
	if browser.Find() == "" {
		t.Skip("NOT TESTED: this machine has no Chromium")
	}
	const page = `<!doctype html><meta http-equiv="Content-Security-Policy" content="style-src 'none'"><style>p{}</style>
		<script>console.error("said so"); console.error("as expected"); console.log("nothing");
		window.onerror = () => { document.title = "thrown" }; setTimeout(() => { throw new Error("thrown so") })</script>
		<img src="http://other.example/picture.png" onerror="document.body.dataset.asked = 'yes'">`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) }))
	defer server.Close()
	r := &recorder{TB: t}
	ctx := browser.Open(r, "as expected")
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL))
	if err == nil {
		_, err = chromedp.Run(ctx, chromedp.Poll[bool](`document.title === "thrown" && document.body.dataset.asked === "yes"`))
	}
	for _, end := range slices.Backward(r.ends) {
		end()
	}
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(r.wrong, "\n")
	for _, want := range []string{"said so", "thrown so", "a request to another host: http://other.example/picture.png", "Content Security Policy"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing is said of %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "as expected") || strings.Contains(all, "nothing") {
		t.Errorf("what is allowed is wrong, too:\n%s", all)
	}
}

// What the tests of pages rely on: faint text is found, in light and in dark, and text
// that can be read is not.
func TestContrasts(t *testing.T) {
	ctx := browser.Open(t)
	const page = `data:text/html,<style>@media (prefers-color-scheme: dark) { body { background: black; color: gray } .dim { color: rgb(70,70,70) } }</style>
		<p>plain</p><p class="dim" style="">dim in the dark</p><p style="color: rgb(200,200,200)">faint</p>
		<svg width="99" height="20"><text y="15" fill="rgb(190,190,190)">drawn</text></svg>`
	for dark, want := range map[bool]string{false: "faint drawn", true: "dim"} {
		if err := chromedp.Do(ctx, browser.Look(800, dark), chromedp.Navigate(page)); err != nil {
			t.Fatal(err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](browser.Contrasts(4.5)))
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(found, "; ")
		for _, text := range []string{"plain", "dim", "faint", "drawn"} {
			if got := strings.Contains(all, text); got != strings.Contains(want, text) {
				t.Errorf("dark %v: of %q it is found that it cannot be read: %v (%s)", dark, text, got, all)
			}
		}
	}
}
