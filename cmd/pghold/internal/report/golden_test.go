package report

import (
	"bytes"
	"io"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/golden"
)

func TestGolden(t *testing.T) {
	text := func(o TextOptions) func(io.Writer, *experiment.Result) error {
		return func(w io.Writer, r *experiment.Result) error { return Text(w, r, o) }
	}
	for file, c := range map[string]struct {
		result *experiment.Result
		write  func(io.Writer, *experiment.Result) error
	}{
		"text.txt":           {measured(), text(TextOptions{})},
		"text_color.txt":     {measured(), text(TextOptions{Color: true})},
		"text_80.txt":        {measured(), text(TextOptions{Width: 80})},
		"text_40.txt":        {measured(), text(TextOptions{Width: 40})},
		"text_seed.txt":      {experiment.Seed(), text(TextOptions{})},
		"text_no_routes.txt": {&experiment.Result{Kind: experiment.Measured, Interrupted: true, Settings: experiment.Defaults()}, text(TextOptions{})},
		"interrupted.txt":    {interrupted(), text(TextOptions{})},
		"partial.txt":        {partial(), text(TextOptions{})},
		"report.md":          {measured(), Markdown},
		"interrupted.md":     {interrupted(), Markdown},
		"partial.md":         {partial(), Markdown},
		"result.json":        {measured(), experiment.WriteResult},
		"predicted.txt":      {predicted(), text(TextOptions{})},
		"predicted_80.txt":   {predicted(), text(TextOptions{Width: 80})},
		"predicted_40.txt":   {predicted(), text(TextOptions{Width: 40})},
		"predicted.md":       {predicted(), Markdown},
		"predicted.json":     {predicted(), experiment.WriteResult},
		"groups.txt":         {groups(), text(TextOptions{})},
		"groups_color.txt":   {groups(), text(TextOptions{Color: true})},
		"groups_40.txt":      {groups(), text(TextOptions{Width: 40})},
		"groups.md":          {groups(), Markdown},
		"groups.json":        {groups(), experiment.WriteResult},
		"service.txt":        {aService(), text(TextOptions{})},
		"service_80.txt":     {aService(), text(TextOptions{Width: 80})},
		"service.md":         {aService(), Markdown},
		"together.txt":       {atOnce(), text(TextOptions{})},
	} {
		t.Run(file, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.write(&b, c.result); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, file, b.String())
		})
	}
}
