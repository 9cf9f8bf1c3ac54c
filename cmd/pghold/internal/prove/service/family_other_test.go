//go:build unix && !linux

package service

// kinds of children that Stop and the watchdog end.
var kinds = []string{"here", "chain", "bare"}

var killedKinds = kinds
