package prove

import (
	"fmt"
	"os"
	"strings"
)

// processors is the time that the machine's processors have spent, all together.
type processors struct{ idle, all float64 }

// processorTime is from /proc/stat, see proc_stat(5). Time that the host gives to others
// counts as busy.
func processorTime() processors {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return processors{}
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var p processors
	for i, word := range strings.Fields(line) {
		var v float64
		if _, err := fmt.Sscan(word, &v); err != nil || i > 8 { // cpu; guest time is counted in user time
			continue
		}
		p.all += v
		if i == 4 || i == 5 { // idle and iowait
			p.idle += v
		}
	}
	return p
}

// busySince is the share of the time since another moment in which they were busy; 0 where
// it is not known.
func (p processors) busySince(before processors) float64 {
	if p.all <= before.all {
		return 0
	}
	return 1 - (p.idle-before.idle)/(p.all-before.all)
}
