package tap

// OnGoroutines has all connections passed on by two goroutines each, as where there is no
// loop. It is called before Serve.
func (t *Tap) OnGoroutines() { t.loop.close() }
