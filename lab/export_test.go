package lab

// Checkouts returns how many connections the app has taken and given back.
func (a *App) Checkouts() int {
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	return len(a.recorder.held)
}
