package lab

// Checkouts returns how many connections the app has taken and given back.
func (a *App) Checkouts() int {
	n := 0
	for _, p := range a.recorder.Snapshot().Pools {
		n += int(p.Releases)
	}
	return n
}
