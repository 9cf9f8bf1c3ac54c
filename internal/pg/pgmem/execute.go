package pgmem

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// txn is a transaction: one that was begun, or one that lasts for a message.
type txn struct {
	explicit bool
	failed   bool // only its end helps
	began    time.Time
	owns     []locked // guarded by Server.mu
}

// run runs a statement and sends what it returns.
func (v *session) run(st *statement, args []any, formats []int16) error {
	v.server.mu.Lock()
	rows, tag, err := v.execute(st, args)
	v.server.mu.Unlock()
	if err != nil {
		return err
	}
	for _, values := range rows {
		row := &pgproto3.DataRow{}
		for i, value := range values {
			var f int16
			if formats != nil {
				f = formats[i]
			}
			b, err := v.types.Encode(st.columns[i].DataTypeOID, f, value, []byte{})
			if err != nil {
				return fmt.Errorf("%s of %s: %w", st.columns[i].Name, st.text, err)
			}
			row.Values = append(row.Values, b)
		}
		v.wire.Send(row)
	}
	v.wire.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}

func (v *session) execute(st *statement, args []any) (rows [][]any, tag string, err error) {
	if v.why != nil { // between two messages
		return nil, "", v.why
	}
	switch st.text {
	case "begin":
		if v.tx == nil {
			v.tx = &txn{began: time.Now()}
		}
		v.tx.explicit = true
		return nil, "BEGIN", nil
	case "commit", "rollback":
		tag := "ROLLBACK"
		if st.text == "commit" && (v.tx == nil || !v.tx.failed) {
			tag = "COMMIT"
		}
		v.end(tag == "COMMIT")
		return nil, tag, nil
	}
	if v.tx == nil {
		v.tx = &txn{began: time.Now()}
	}
	if v.tx.failed {
		return nil, "", failed("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	return st.run(v, args)
}

// end ends the transaction and hands its rows to those who wait for them. Server.mu is
// held.
func (v *session) end(commit bool) {
	if v.tx == nil {
		return
	}
	v.tx.release(commit)
	v.tx = nil
}

func (t *txn) release(commit bool) {
	owns := t.owns
	t.owns = nil
	for _, r := range owns {
		r.release(commit)
	}
}

// abort undoes what the transaction did. One that was begun stays, of no use, until the
// client ends it.
func (v *session) abort() {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	if v.tx != nil {
		v.tx.release(false)
		v.tx.failed = true
	}
}

// wait waits for a row that somebody else has. Server.mu is held, but not meanwhile.
func (v *session) wait(ready <-chan struct{}) error {
	v.waitEvent = "Lock.transactionid"
	cancelled := v.cancelled
	v.server.mu.Unlock()
	defer func() {
		v.server.mu.Lock()
		v.waitEvent = ""
	}()
	var timeout <-chan time.Time // never
	if whole, ok := v.transactionEnds(); ok {
		timer := time.NewTimer(time.Until(whole))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-ready:
		return nil
	case <-cancelled:
		return failed("57014", "canceling statement due to user request")
	case <-v.killed:
		return v.why
	case <-timeout:
		return transactionTimedOut
	}
}

var transactionTimedOut = &failure{"FATAL", "25P04", "terminating connection due to transaction timeout"}

// setDeadline says when the server loses patience with a silent client, if ever.
func (v *session) setDeadline() {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	var first time.Time
	switch {
	case v.why != nil:
		first = time.Unix(1, 0)
	case v.tx != nil:
		if v.idleTimeout > 0 {
			first = time.Now().Add(v.idleTimeout)
		}
		if whole, ok := v.transactionEnds(); ok && (first.IsZero() || whole.Before(first)) {
			first = whole
		}
	}
	v.conn.SetReadDeadline(first)
}

// transactionEnds is when transaction_timeout ends the transaction. Where that has
// failed, it is over already.
func (v *session) transactionEnds() (time.Time, bool) {
	return v.tx.began.Add(v.transactionTimeout), v.transactionTimeout > 0 && !v.tx.failed
}

// expired says why a read ended that no client ended; nil where one did.
func (v *session) expired(err error) *failure {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	switch {
	case v.why != nil:
		return v.why
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	if whole, ok := v.transactionEnds(); ok && !time.Now().Before(whole) {
		return transactionTimedOut
	}
	return &failure{"FATAL", "25P03", "terminating connection due to idle-in-transaction timeout"}
}

// kill ends the session, whatever it does. Server.mu is held.
func (v *session) kill(why *failure) {
	if v.why == nil {
		v.why = why
		close(v.killed)
		v.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// cancel ends the statement that a session runs, if it runs one.
func (s *Server) cancel(pid int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.sessions[pid]; v != nil && v.cancelled != nil {
		select {
		case <-v.cancelled:
		default:
			close(v.cancelled)
		}
	}
}
