//go:build race

package holdcheck

func init() { raceDetector = true }
