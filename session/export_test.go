package session

import "github.com/jackc/pgx/v5"

// Reading reports whether a call is reading the rows.
func Reading(r pgx.Rows) bool {
	mu := &r.(*rows).mu
	if mu.TryLock() {
		mu.Unlock()
		return false
	}
	return true
}
