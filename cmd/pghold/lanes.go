package main

import (
	"os"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
)

// lanes are the connections as the server sees them, a character each, the oldest
// first: silent in a transaction, busy, or idle. On a terminal with colours they have
// those of the report.
type lanes struct {
	text  []rune
	color bool
}

const (
	laneSilent = '▮'
	laneBusy   = '▸'
	laneIdle   = '·'

	// The nearest that a terminal's 256 colours have to the report's.
	silentColor = "\x1b[38;5;166m"
	busyColor   = "\x1b[38;5;32m"

	// maxLanes is how many are shown; of more, only the count says something.
	maxLanes = 40
)

func lanesOf(s activity.Sample) lanes {
	l := lanes{color: os.Getenv("NO_COLOR") == ""}
	if len(s.Sessions) > maxLanes {
		return l
	}
	for _, session := range s.Sessions {
		switch {
		case session.State.InTransaction():
			l.text = append(l.text, laneSilent)
		case session.State == activity.Busy, session.State == activity.LockWait, session.State == activity.ClientSlow:
			l.text = append(l.text, laneBusy)
		default:
			l.text = append(l.text, laneIdle)
		}
	}
	return l
}

// width is how many columns they take.
func (l lanes) width() int { return len(l.text) }

func (l lanes) String() string {
	if !l.color {
		return string(l.text)
	}
	var b strings.Builder
	for _, r := range l.text {
		switch r {
		case laneSilent:
			b.WriteString(silentColor + "▮\x1b[0m")
		case laneBusy:
			b.WriteString(busyColor + "▸\x1b[0m")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
