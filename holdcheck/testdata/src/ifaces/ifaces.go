// Package ifaces has calls through interfaces inside a transaction.
package ifaces

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"net/http"
	"net/smtp"
	"sort"
	"strings"
)

const u = "https://example.com/"

func inTx(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Sender has one implementation.
type Sender interface {
	Send(ctx context.Context, to string) error
	Name() string
}

type smtpSender struct{ host string }

func NewSender(host string) Sender { return &smtpSender{host} }

func (s *smtpSender) Send(ctx context.Context, to string) error {
	return smtp.SendMail(s.host, nil, "a@example.com", []string{to}, nil)
}
func (s *smtpSender) Name() string { return s.host }

func oneImplementation(ctx context.Context, db *sql.DB, s Sender) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return s.Send(ctx, "b@example.com") // want "high mail .*SendMail"
	})
}

func okFastMethod(ctx context.Context, db *sql.DB, s Sender) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert", s.Name())
		return err
	})
}

// Clock has two implementations, both fast.
type Clock interface {
	Ticks(ctx context.Context) int64
}

type fixed int64

func (f fixed) Ticks(ctx context.Context) int64 { return int64(f) }

type counter struct{ n int64 }

func (c *counter) Ticks(ctx context.Context) int64 { c.n++; return c.n }

func NewClock(n int64) Clock {
	if n > 0 {
		return fixed(n)
	}
	return &counter{}
}

func okFastImplementations(ctx context.Context, db *sql.DB, c Clock) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert", c.Ticks(ctx))
		return err
	})
}

// Blobs has two implementations, and one is slow.
type Blobs interface {
	Put(ctx context.Context, name string) error
}

type memory struct{ names []string }

func (m *memory) Put(ctx context.Context, name string) error {
	m.names = append(m.names, name)
	return nil
}

type remote struct{ c *http.Client }

func (r remote) Put(ctx context.Context, name string) error {
	req, err := http.NewRequestWithContext(ctx, "PUT", u+name, nil)
	if err != nil {
		return err
	}
	_, err = r.c.Do(req)
	return err
}

func NewBlobs(c *http.Client) Blobs {
	if c == nil {
		return &memory{}
	}
	return remote{c}
}

func oneOfTwoIsSlow(ctx context.Context, db *sql.DB, b Blobs) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return b.Put(ctx, "a") // want "high http"
	})
}

// okKnownImplementation knows which of the two it has.
func okKnownImplementation(ctx context.Context, db *sql.DB) error {
	b := &memory{}
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return b.Put(ctx, "a")
	})
}

// Bell has a slow implementation that nothing makes, and a fast one.
type Bell interface {
	Ring(ctx context.Context) error
}

type mockBell struct{ rung int }

func (m *mockBell) Ring(ctx context.Context) error {
	m.rung++
	_, err := http.Get(u)
	return err
}

type quietBell struct{ rung int }

func (q *quietBell) Ring(ctx context.Context) error { q.rung++; return nil }

func NewBell() Bell { return &quietBell{} }

func okMockNeverMade(ctx context.Context, db *sql.DB, b Bell) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return b.Ring(ctx)
	})
}

// Oracle has no implementation.
type Oracle interface {
	Foretell(ctx context.Context, question string) (string, error)
}

func nobodyImplements(ctx context.Context, db *sql.DB, o Oracle) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := o.Foretell(ctx, "a") // want "low unresolved .*Foretell"
		return err
	})
}

func okNobodyImplementsOutside(ctx context.Context, db *sql.DB, o Oracle) error {
	answer, err := o.Foretell(ctx, "a")
	if err != nil {
		return err
	}
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert", answer)
		return err
	})
}

// wrapped embeds an interface and has its methods by promotion.
type wrapped struct {
	Sender
	sent int
}

func promotedFromInterface(ctx context.Context, db *sql.DB, w *wrapped) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		w.sent++
		return w.Send(ctx, "b@example.com") // want "high mail"
	})
}

func okPromotedFromInterface(ctx context.Context, db *sql.DB, w *wrapped) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert", w.Name(), w.sent)
		return err
	})
}

// Notifier embeds another interface.
type Notifier interface {
	Sender
	Flush() int
}

type queued struct {
	smtpSender
	waiting []string
}

func NewNotifier(host string) Notifier { return &queued{smtpSender: smtpSender{host}} }

func (q *queued) Send(ctx context.Context, to string) error {
	q.waiting = append(q.waiting, to)
	return nil
}

func (q *queued) Flush() int {
	for _, to := range q.waiting {
		q.smtpSender.Send(context.Background(), to)
	}
	return len(q.waiting)
}

func embeddedInterface(ctx context.Context, db *sql.DB, n Notifier) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert", n.Flush()) // want "high mail"
		return err
	})
}

func okEnqueues(ctx context.Context, db *sql.DB, n Notifier) error {
	if err := inTx(ctx, db, func(tx *sql.Tx) error {
		return n.Send(ctx, "b@example.com")
	}); err != nil {
		return err
	}
	n.Flush()
	return nil
}

// Publisher is an interface that a function type implements.
type Publisher interface {
	Publish(ctx context.Context, topic string, body []byte) error
}

type PublisherFunc func(ctx context.Context, topic string, body []byte) error

func (f PublisherFunc) Publish(ctx context.Context, topic string, body []byte) error {
	return f(ctx, topic, body)
}

func NewPublisher() Publisher {
	return PublisherFunc(func(ctx context.Context, topic string, body []byte) error {
		_, err := http.Post(u+topic, "text/plain", nil)
		return err
	})
}

func functionType(ctx context.Context, db *sql.DB, p Publisher) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return p.Publish(ctx, "a", nil) // want "high http"
	})
}

func okFunctionTypeOutside(ctx context.Context, db *sql.DB, p Publisher) error {
	if err := inTx(ctx, db, func(tx *sql.Tx) error { return nil }); err != nil {
		return err
	}
	return p.Publish(ctx, "a", nil)
}

// chain decorates a Sender.
type chain struct {
	next Sender
	log  io.Writer
}

func (c *chain) Send(ctx context.Context, to string) error { return c.next.Send(ctx, to) }
func (c *chain) Name() string                              { return "chain of " + c.next.Name() }

func Chain(s Sender, w io.Writer) *chain { return &chain{s, w} }

func decorated(ctx context.Context, db *sql.DB, c *chain) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return c.Send(ctx, "b@example.com") // want "high mail"
	})
}

func okDecoratedName(ctx context.Context, db *sql.DB, c *chain) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert", c.Name())
		return err
	})
}

// asserted asks for an optional method.
func asserted(ctx context.Context, db *sql.DB, v any) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if b, ok := v.(Blobs); ok {
			return b.Put(ctx, "a") // want "high http"
		}
		return nil
	})
}

func okAsserted(ctx context.Context, db *sql.DB, v any) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		switch v := v.(type) {
		case *memory:
			return v.Put(ctx, "a")
		case Clock:
			_, err := tx.ExecContext(ctx, "insert", v.Ticks(ctx))
			return err
		}
		return nil
	})
}

// The standard library's small interfaces are not unresolved.
func okStandardInterfaces(ctx context.Context, db *sql.DB, h hash.Hash, s fmt.Stringer, by sort.Interface) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if err := ctx.Err(); err != nil {
			return errors.New(err.Error())
		}
		_, late := ctx.Deadline()
		h.Write([]byte(s.String()))
		sort.Sort(by)
		_, err := tx.ExecContext(ctx, "insert", h.Sum(nil), late, ctx.Value("a"))
		return err
	})
}

func okReaderOfString(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		body, err := io.ReadAll(strings.NewReader("a"))
		if err != nil {
			return err
		}
		h := fnv.New64()
		h.Write(body)
		_, err = tx.ExecContext(ctx, "insert", h.Sum64())
		return err
	})
}

// Queryer is what a *sql.DB and a *sql.Tx have in common.
type Queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func insertWith(ctx context.Context, q Queryer) error {
	_, err := q.ExecContext(ctx, "insert")
	return err
}

func okQueryer(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return insertWith(ctx, tx)
	})
}

func readBody(ctx context.Context, db *sql.DB, r *http.Request) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if err := insertWith(ctx, tx); err != nil {
			return err
		}
		return transfer(ctx, NewBlobs(http.DefaultClient)) // want "high http"
	})
}

func transfer(ctx context.Context, b Blobs) error { return b.Put(ctx, "a") }
