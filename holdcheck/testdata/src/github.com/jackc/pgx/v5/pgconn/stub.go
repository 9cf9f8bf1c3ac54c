// Package pgconn is a stub.
package pgconn

type CommandTag struct{ s string }

func (t CommandTag) RowsAffected() int64 { return 0 }
func (t CommandTag) String() string      { return t.s }

type Notification struct{ Channel, Payload string }

type FieldDescription struct{ Name string }
