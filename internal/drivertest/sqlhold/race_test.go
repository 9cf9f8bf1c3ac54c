//go:build race

package sqlhold_test

func init() { raceDetector = true }
