// Package browser gives tests a real browser: headless Chromium, driven by chromedp.
// It watches what no page of pghold's may do, and fails the test for it: an error in
// the console, an exception in a script, a request to another host than the page's.
//
// Without Chromium on the machine a test is skipped, and says so. It is for tests
// only, and looks at nothing but what the test opens.
package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// programs are the names that Chromium goes by.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// limit is how long a test may have its browser.
const limit = 2 * time.Minute

// Open starts a browser with one empty page, whose context chromedp's functions take.
// It ends with the test. Errors of the page that have one of the expected texts in
// them are the test's own doing.
func Open(t testing.TB, expected ...string) context.Context {
	t.Helper()
	program := find()
	if program == "" {
		t.Skipf("NOT TESTED: this machine has no Chromium (install the package chromium); looked for %s", strings.Join(programs, ", "))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("no-pings", true), chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	ctx, endAllocator := chromedp.NewExecAllocator(ctx, options...)
	ctx, endTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		chromedp.Cancel(ctx) // waits until the browser is gone
		endTab()
		endAllocator()
	})

	w := &watcher{}
	if err := chromedp.Listen(ctx, w.see); err != nil { // this starts the browser
		t.Fatalf("starting Chromium: %v", err)
	}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, wrong := range w.wrong {
			if !slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(wrong, e) }) {
				t.Errorf("the page: %s", wrong)
			}
		}
	})
	return ctx
}

func find() string {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Look makes the page so many pixels wide, as on a phone where that is few, and light
// or dark.
func Look(width int64, dark bool) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return chromedp.Steps(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// Paper makes the page what would be printed of it on A4 with margins of a centimetre.
func Paper() chromedp.Action[chromedp.Void] {
	const width = 718 // 19 cm, of which a CSS pixel is 1/96 inch
	return chromedp.Steps(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return err
	}))
}

// watcher collects what a page should not do.
type watcher struct {
	mu    sync.Mutex
	wrong []string
}

func (w *watcher) see(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = "an exception: " + e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
	case *runtime.EventConsoleAPICalled:
		if (e.Type == "error" || e.Type == "warning") && len(e.Args) > 0 {
			text = "its console says " + string(e.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.URL, "/favicon.ico") {
			text = "an error: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || !local(u) {
			text = "a request to another host: " + e.Request.URL
		}
	}
	if text != "" {
		w.mu.Lock()
		w.wrong = append(w.wrong, text)
		w.mu.Unlock()
	}
}

func local(u *url.URL) bool {
	return u.Hostname() == "127.0.0.1" || u.Scheme == "file" || u.Scheme == "data" || u.Scheme == "about" || u.Scheme == "blob"
}

// Contrasts is a script that returns, for every piece of text in the page that can be
// seen, on what it stands and with which contrast (WCAG 2, 1 to 21), where that is less
// than least.
func Contrasts(least float64) string {
	return fmt.Sprintf(contrasts, least)
}
