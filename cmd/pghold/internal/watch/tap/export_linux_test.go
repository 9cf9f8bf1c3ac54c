package tap

// OnLoop is how many connections the loop passes on.
func (t *Tap) OnLoop() int {
	t.loop.mu.Lock()
	defer t.loop.mu.Unlock()
	return len(t.loop.legs) / 2
}
