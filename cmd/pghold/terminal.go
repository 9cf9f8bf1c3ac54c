package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
)

// raw is what messages are written to, for lines that have escape sequences of our own.
func raw(w io.Writer) io.Writer {
	if m, ok := w.(printable.Messages); ok {
		return m.Out
	}
	return w
}

// terminalWidth returns the width of the terminal that w is, or 0 where it is
// none, or one that can do no more than a printer.
func terminalWidth(w io.Writer) int {
	width, _ := terminalSize(w)
	return width
}

// terminalHeight is the same of its height.
func terminalHeight(w io.Writer) int {
	_, height := terminalSize(w)
	return height
}

func terminalSize(w io.Writer) (width, height int) {
	f, ok := raw(w).(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0, 0
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}

// textOptions suit the text to where it goes: colours on a terminal only, and
// not where NO_COLOR is set (https://no-color.org).
func textOptions(w io.Writer) report.TextOptions {
	width := terminalWidth(w)
	return report.TextOptions{Color: width > 0 && os.Getenv("NO_COLOR") == "", Width: width}
}
