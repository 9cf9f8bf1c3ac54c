package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/report/chart"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
)

// On a terminal connections have the colours that they have in the report: each is nearer
// to its own there, light or dark, than to any other.
func TestLanes_haveTheColorsOfTheReport(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	shown := lanesOf(activity.Sample{Sessions: []activity.Session{{State: activity.SilentInTransaction}, {State: activity.Busy}}}).String()
	codes := regexp.MustCompile(`\x1b\[38;5;(\d+)m`).FindAllStringSubmatch(shown, -1)
	if len(codes) != 2 {
		t.Fatalf("got %q", shown)
	}
	reports := regexp.MustCompile(`--(busy|silent-tx|silent|waiting):#(..)(..)(..);`).FindAllStringSubmatch(chart.Variables(":root"), -1)
	for i, want := range []string{"silent-tx", "busy"} {
		code, _ := strconv.Atoi(codes[i][1])
		color := xterm(code)
		nearest := slices.MinFunc(reports, func(a, b []string) int {
			return int(1000 * (distance(t, a[2:], color) - distance(t, b[2:], color)))
		})
		if nearest[1] != want {
			t.Errorf("%s is drawn in colour %d, which is the report's %s", want, code, nearest[1])
		}
	}
}

// xterm is a colour of the cube that a terminal's codes 16 to 231 are.
func xterm(code int) (rgb [3]int) {
	levels := []int{0, 95, 135, 175, 215, 255}
	code -= 16
	return [3]int{levels[code/36], levels[code/6%6], levels[code%6]}
}

func distance(t *testing.T, hex []string, rgb [3]int) float64 {
	t.Helper()
	sum := 0.0
	for i, part := range hex {
		var v int
		if _, err := fmt.Sscanf(part, "%x", &v); err != nil {
			t.Fatal(err)
		}
		sum += math.Pow(float64(v-rgb[i]), 2)
	}
	return math.Sqrt(sum)
}
