// Package bbolt is a stub: signatures only.
package bbolt

type DB struct{ path string }

type Tx struct{ db *DB }

func (db *DB) Begin(writable bool) (*Tx, error) { return &Tx{db}, nil }
func (db *DB) Update(fn func(*Tx) error) error  { return fn(&Tx{db}) }
func (db *DB) View(fn func(*Tx) error) error    { return fn(&Tx{db}) }
func (tx *Tx) Commit() error                    { return nil }
func (tx *Tx) Rollback() error                  { return nil }
