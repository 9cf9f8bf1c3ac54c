package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/pghold/pghold/internal/browser"
)

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
