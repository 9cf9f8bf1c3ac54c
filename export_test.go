package pghold

// Moments is of how many moments a recorder has kept its counts.
func Moments(r *Recorder) int {
	r.frames.mu.Lock()
	defer r.frames.mu.Unlock()
	return len(r.frames.kept)
}
