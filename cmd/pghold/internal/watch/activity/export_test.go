package activity

// OnAnswer has f called with who waits for a lock, each time that the server was asked.
func (l *Locks) OnAnswer(f func(waiting []uint32)) { l.answered = f }

// OnSample has f called after each sample that Run takes.
func (s *Source) OnSample(f func()) { s.took = f }
