package sqlhold

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"
	"strings"
)

// tx is a transaction.
type tx struct {
	inner driver.Tx
	c     *conn
	ctx   context.Context // of the whole transaction
}

func (t *tx) Commit() error {
	hold := t.c.begin(context.Background())
	err := t.inner.Commit()
	t.c.executed(hold, ends, err)
	return err
}

// Rollback is called by database/sql itself when the transaction's context is over.
// It then discards the connection unless that has both a SessionResetter and a
// Validator, as every conn has; the error makes it do so all the same.
func (t *tx) Rollback() error {
	hold := t.c.begin(context.Background())
	err := t.inner.Rollback()
	t.c.executed(hold, ends, err)
	if !t.c.keeps && t.ctx.Err() != nil && !calledBy("database/sql.(*Tx).Rollback") {
		return &discard{err: err}
	}
	return err
}

// discard is the error of a rollback after which database/sql is to discard the
// connection, and a sql.Conn around it, as it does after driver.ErrBadConn. Nobody
// sees it: the rollback is database/sql's own.
//
// Before that, database/sql closes the statements that were prepared in the
// transaction, but not where the driver's own error is ErrBadConn. So the first
// question for ErrBadConn is answered for the driver's error.
type discard struct {
	err   error // the driver's, or nil
	asked bool
}

func (d *discard) Error() string {
	return "sqlhold: the connection is discarded after a cancelled transaction"
}

func (d *discard) Unwrap() error { return d.err }

func (d *discard) Is(target error) bool {
	asked := d.asked
	d.asked = asked || target == driver.ErrBadConn
	return asked && target == driver.ErrBadConn
}

// effect is what a statement does to the connection's transaction.
type effect int

const (
	none effect = iota
	begins
	ends
)

// follow knows after a statement whether a transaction is open. One whose commit
// fails is over as well.
func (c *conn) follow(does effect, err error) {
	switch {
	case does == begins && err == nil:
		c.inTx = true
	case does == ends:
		c.inTx = false
	}
}

// effectOf judges a text by its first statement and, where that is about
// transactions, by its last: "begin; ...; commit" leaves none open. A last one
// alone says nothing, since functions too have an END.
func effectOf(query string) effect {
	does := control(query)
	for does != none {
		i := strings.LastIndexByte(query, ';')
		if i < 0 {
			break
		}
		last := query[i+1:]
		if word, _ := next(last); word != "" {
			return cmp.Or(control(last), does)
		}
		query = query[:i]
	}
	return does
}

// control is the effect of a single statement.
func control(s string) effect {
	first, s := next(s)
	second, s := next(s)
	switch {
	case is(first, "begin"): // in other places it begins a block
		if is(second, "", ";", "work", "transaction", "tran", "isolation", "read", "not", "deferrable", "deferred", "immediate", "exclusive") {
			return begins
		}
	case is(first, "start"):
		if is(second, "transaction") {
			return begins
		}
	case is(first, "commit", "end", "rollback", "abort"): // not ROLLBACK TO, COMMIT PREPARED, AND CHAIN
		word := second
		if is(word, "work", "transaction", "tran") {
			word, s = next(s)
		}
		if is(word, "and") {
			if word, s = next(s); is(word, "no") {
				_, s = next(s)
				word, _ = next(s)
			}
		}
		if is(word, "", ";") {
			return ends
		}
	}
	return none
}

func is(word string, one ...string) bool {
	return slices.ContainsFunc(one, func(o string) bool { return strings.EqualFold(word, o) })
}

// next is the first word of s, or a single sign, and what follows. Spaces and
// comments before it are passed over.
func next(s string) (word, rest string) {
	for {
		s = strings.TrimLeft(s, " \t\r\n\f\v")
		end := ""
		switch {
		case strings.HasPrefix(s, "--"):
			end = "\n"
		case strings.HasPrefix(s, "/*"):
			end = "*/"
		default:
			n := 0
			for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_') {
				n++
			}
			n = min(max(n, 1), len(s))
			return s[:n], s[n:]
		}
		_, s, _ = strings.Cut(s, end)
	}
}
