//go:build race

package holdcheck

const raceEnabled = true
