//go:build race

package lab_test

func init() {
	raceDetector = true
	*updates = 200
}
