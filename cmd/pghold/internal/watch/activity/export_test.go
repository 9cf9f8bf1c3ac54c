package activity

// OnAnswer has f called with who waits for a lock, each time that the server was asked.
func (l *Locks) OnAnswer(f func(waiting []uint32)) { l.answered = f }
