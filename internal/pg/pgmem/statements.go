package pgmem

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// statement is one that the server knows.
type statement struct {
	text       string
	parameters []uint32 // their types
	columns    []pgproto3.FieldDescription
	// run runs it in the session's transaction, with Server.mu held. Its error is a
	// *failure.
	run func(v *session, args []any) (rows [][]any, tag string, err error)
}

var (
	space  = regexp.MustCompile(`\s+`)
	schema = regexp.MustCompile(`\bpghold_lab_[0-9a-f]+\.`)
)

// normal is a statement's text without what does not matter: spaces, a comment before
// it, the name of the lab's schema, which is another in each run.
func normal(sql string) string {
	sql = strings.TrimSpace(sql)
	for strings.HasPrefix(sql, "--") {
		_, sql, _ = strings.Cut(sql, "\n")
		sql = strings.TrimSpace(sql)
	}
	return schema.ReplaceAllString(space.ReplaceAllString(strings.TrimSuffix(sql, ";"), " "), "")
}

// ignored are the first words of statements that change nothing here: the tables are
// there already.
var ignored = []string{"create schema", "create table", "create index", "drop schema", "comment on", "set "}

// statement finds a statement by its text.
func (s *Server) statement(sql string) (*statement, error) {
	text := normal(sql)
	if st := s.known[text]; st != nil {
		return st, nil
	}
	for _, words := range ignored {
		if strings.HasPrefix(text, words) {
			return &statement{text: text, run: func(*session, []any) ([][]any, string, error) {
				return nil, strings.ToUpper(words), nil
			}}, nil
		}
	}
	if strings.Contains(text, ";") {
		return nil, failed("42601", "cannot insert multiple commands into a prepared statement")
	}
	return nil, failed("42601", "pgmem does not know this statement: "+text)
}

func (st *statement) describe(formats []int16) *pgproto3.RowDescription {
	d := &pgproto3.RowDescription{Fields: slices.Clone(st.columns)}
	for i := range formats {
		d.Fields[i].Format = formats[i]
	}
	return d
}

// decode returns an argument as the statements want it.
func decode(types *pgtype.Map, oid uint32, format int16, b []byte) (any, error) {
	var err error
	scan := func(to any) { err = types.Scan(oid, format, b, to) }
	switch oid {
	case pgtype.Int4OID:
		var n int
		scan(&n)
		return n, err
	case pgtype.Int8OID:
		var n int64
		scan(&n)
		return n, err
	case pgtype.BoolOID:
		var is bool
		scan(&is)
		return is, err
	case pgtype.IntervalOID:
		var i pgtype.Interval
		scan(&i)
		return time.Duration(i.Microseconds) * time.Microsecond, err
	}
	var text string
	scan(&text)
	return text, err
}

// The lab's tables.
type (
	account struct {
		balance, version int
		leasedBy         string // empty: null
		leasedUntil      time.Time
	}
	order struct {
		account      int
		keyed        bool
		claimedUntil time.Time // zero: null
		done         bool
	}
	tables struct {
		visits   int
		accounts *table[int, account]
		payments *table[string, int] // account by op
		outbox   *table[string, order]
	}
)

func (t *tables) empty() {
	t.accounts, t.payments, t.outbox = newTable[int, account](), newTable[string, int](), newTable[string, order]()
}

// change changes an account of which is says that it should be, and returns it as it is
// then. As Postgres does, it looks first, waits for whoever has the row, and looks again.
func (t *tables) change(v *session, id int, is func(account) bool, to func(*account)) (*account, error) {
	a := t.accounts.read(v.tx, id)
	if a == nil || !is(*a) {
		return nil, nil
	}
	a, err := t.accounts.lock(v, id)
	if err != nil || a == nil || !is(*a) {
		return nil, err
	}
	changed := *a
	to(&changed)
	t.accounts.rows[id].own = &changed
	return &changed, nil
}

func any1(account) bool { return true }

// updated is the answer to an update of at most one row.
func updated[V any](row *V, err error) ([][]any, string, error) {
	n := 0
	if row != nil {
		n = 1
	}
	return nil, fmt.Sprintf("UPDATE %d", n), err
}

func selected(rows ...[]any) ([][]any, string, error) {
	return rows, fmt.Sprintf("SELECT %d", len(rows)), nil
}

// statements are the lab's own (statements.go, accounts.go and database.go of lab,
// watch.go of watch), and what pools and sessions send.
func (s *Server) statements() map[string]*statement {
	const (
		integer, str, boolean, interval = pgtype.Int4OID, pgtype.TextOID, pgtype.BoolOID, pgtype.IntervalOID
		instant, double                 = pgtype.TimestamptzOID, pgtype.Float8OID
	)
	known := map[string]*statement{}
	add := func(sql string, parameters, columns []uint32, run func(*session, []any) ([][]any, string, error)) {
		st := &statement{text: normal(sql), parameters: parameters, run: run}
		for i, oid := range columns {
			st.columns = append(st.columns, pgproto3.FieldDescription{
				Name: fmt.Appendf(nil, "column%d", i+1), DataTypeOID: oid, DataTypeSize: -1, TypeModifier: -1})
		}
		known[st.text] = st
	}
	type types = []uint32
	t := &s.tables

	for _, sql := range []string{"begin", "commit", "rollback"} { // execute knows what they do
		add(sql, nil, nil, nil)
	}
	add("select 1", nil, types{integer}, func(*session, []any) ([][]any, string, error) { return selected([]any{1}) })

	add("select split_part(current_setting('server_version'), ' ', 1)", nil, types{str}, func(*session, []any) ([][]any, string, error) {
		return selected([]any{s.cfg.Version})
	})
	add(`with clients as (
			select usesysid, datid from pg_stat_activity
			where usesysid is not null and datid is not null and coalesce(backend_type, 'client backend') = 'client backend'),
		me as (select * from pg_roles where rolname = session_user),
		here as (select * from pg_database where datname = current_database())
		select 'max_connections', current_setting('max_connections')::int
		       - current_setting('superuser_reserved_connections')::int
		       - coalesce(current_setting('reserved_connections', true)::int, 0)
		       - (select count(*) from clients)::int
		union all
		select 'role', rolconnlimit - (select count(*) from clients where usesysid = me.oid)::int
		from me where rolconnlimit >= 0 and not rolsuper
		union all
		select 'database', datconnlimit - (select count(*) from clients where datid = here.oid)::int
		from here, me where datconnlimit >= 0 and not rolsuper
		order by 2 limit 1`, nil, types{str, integer}, func(*session, []any) ([][]any, string, error) {
		return selected([]any{"max_connections", s.cfg.MaxConnections - len(s.sessions)})
	})
	add("insert into users values (1, 'John Doe')", nil, nil, func(*session, []any) ([][]any, string, error) { return nil, "INSERT 0 1", nil })
	add("select id, name from users where id = $1", types{integer}, types{integer, str}, func(_ *session, args []any) ([][]any, string, error) {
		if args[0] != 1 {
			return selected()
		}
		return selected([]any{1, "John Doe"})
	})
	add("insert into visits (user_id) values ($1)", types{integer}, nil, func(*session, []any) ([][]any, string, error) {
		t.visits++
		return nil, "INSERT 0 1", nil
	})

	const read = "select balance, version from accounts where id = $1"
	add(read, types{integer}, types{integer, integer}, func(v *session, args []any) ([][]any, string, error) {
		a := t.accounts.read(v.tx, args[0].(int))
		if a == nil {
			return selected()
		}
		return selected([]any{a.balance, a.version})
	})
	add(read+" for update", types{integer}, types{integer, integer}, func(v *session, args []any) ([][]any, string, error) {
		a, err := t.accounts.lock(v, args[0].(int))
		if a == nil || err != nil {
			return nil, "SELECT 0", err
		}
		return selected([]any{a.balance, a.version})
	})
	add("update accounts set balance = $2, version = version + 1 where id = $1", types{integer, integer}, nil, func(v *session, args []any) ([][]any, string, error) {
		return updated(t.change(v, args[0].(int), any1, func(a *account) { a.balance, a.version = args[1].(int), a.version+1 }))
	})
	add("update accounts set balance = $2, version = version + 1 where id = $1 and version = $3", types{integer, integer, integer}, nil, func(v *session, args []any) ([][]any, string, error) {
		return updated(t.change(v, args[0].(int), func(a account) bool { return a.version == args[2] },
			func(a *account) { a.balance, a.version = args[1].(int), a.version+1 }))
	})
	add("update accounts set balance = $2, leased_by = null where id = $1 and leased_by = $3", types{integer, integer, str}, nil, func(v *session, args []any) ([][]any, string, error) {
		return updated(t.change(v, args[0].(int), func(a account) bool { return a.leasedBy == args[2] },
			func(a *account) { a.balance, a.leasedBy = args[1].(int), "" }))
	})
	add("update accounts set balance = balance + $2 where id = $1", types{integer, integer}, nil, func(v *session, args []any) ([][]any, string, error) {
		return updated(t.change(v, args[0].(int), any1, func(a *account) { a.balance += args[1].(int) }))
	})
	add(`update accounts set leased_by = $2, leased_until = now() + $3::interval
		where id = $1 and (leased_by is null or leased_until < now()) returning balance`, types{integer, str, interval}, types{integer}, func(v *session, args []any) ([][]any, string, error) {
		now := v.tx.began // what now() is
		a, err := t.change(v, args[0].(int), func(a account) bool { return a.leasedBy == "" || a.leasedUntil.Before(now) },
			func(a *account) { a.leasedBy, a.leasedUntil = args[1].(string), now.Add(args[2].(time.Duration)) })
		if a == nil {
			return nil, "UPDATE 0", err
		}
		return [][]any{{a.balance}}, "UPDATE 1", nil
	})
	add("insert into payments (op, account) values ($1, $2)", types{str, integer}, nil, func(v *session, args []any) ([][]any, string, error) {
		return nil, "INSERT 0 1", t.payments.insert(v, "payments_pkey", args[0].(string), args[1].(int))
	})

	add("insert into outbox (op, account, keyed) values ($1, $2, $3)", types{str, integer, boolean}, nil, func(v *session, args []any) ([][]any, string, error) {
		return nil, "INSERT 0 1", t.outbox.insert(v, "outbox_pkey", args[0].(string), order{account: args[1].(int), keyed: args[2].(bool)})
	})
	add(`update outbox set claimed_until = now() + $1::interval where op = (
		select op from outbox where not done and (claimed_until is null or claimed_until < now())
		limit 1 for update skip locked) returning op, account, keyed`, types{interval}, types{str, integer, boolean}, func(v *session, args []any) (rows [][]any, tag string, err error) {
		t.outbox.all(v.tx, func(op string, o *order) bool {
			if o.done || !o.claimedUntil.Before(v.tx.began) || !t.outbox.free(v.tx, op) {
				return true
			}
			if _, err = t.outbox.lock(v, op); err == nil {
				claimed := *o
				claimed.claimedUntil = v.tx.began.Add(args[0].(time.Duration))
				t.outbox.rows[op].own = &claimed
				rows = [][]any{{op, o.account, o.keyed}}
			}
			return false
		})
		return rows, fmt.Sprintf("UPDATE %d", len(rows)), err
	})
	add("update outbox set done = true where op = $1", types{str}, nil, func(v *session, args []any) ([][]any, string, error) {
		o, err := t.outbox.lock(v, args[0].(string))
		if o != nil && err == nil {
			done := *o
			done.done = true
			t.outbox.rows[args[0].(string)].own = &done
		}
		return updated(o, err)
	})

	add("truncate accounts, payments, outbox", nil, nil, func(*session, []any) ([][]any, string, error) {
		t.empty() // nobody else is there then
		return nil, "TRUNCATE TABLE", nil
	})
	add("insert into accounts (id, balance, version) select id, 0, 0 from generate_series(1, $1) id", types{integer}, nil, func(v *session, args []any) ([][]any, string, error) {
		for id := 1; id <= args[0].(int); id++ {
			if err := t.accounts.insert(v, "accounts_pkey", id, account{}); err != nil {
				return nil, "", err
			}
		}
		return nil, fmt.Sprintf("INSERT 0 %d", args[0]), nil
	})
	add("select op from payments", nil, types{str}, func(v *session, _ []any) ([][]any, string, error) {
		var rows [][]any
		t.payments.all(v.tx, func(op string, _ *int) bool {
			rows = append(rows, []any{op})
			return true
		})
		return selected(rows...)
	})
	add("select coalesce(sum(balance), 0)::int from accounts", nil, types{integer}, func(v *session, _ []any) ([][]any, string, error) {
		sum := 0
		t.accounts.all(v.tx, func(_ int, a *account) bool {
			sum += a.balance
			return true
		})
		return selected([]any{sum})
	})
	add("select exists (select from outbox where not done)", nil, types{boolean}, func(v *session, _ []any) ([][]any, string, error) {
		left := false
		t.outbox.all(v.tx, func(_ string, o *order) bool {
			left = !o.done
			return !left
		})
		return selected([]any{left})
	})

	add("select set_config('statement_timeout', $1, false) where pg_backend_pid() = $2::int8", types{str, pgtype.Int8OID}, types{str}, func(v *session, args []any) ([][]any, string, error) {
		if args[1] != int64(v.pid) {
			return selected()
		}
		return selected([]any{args[0]})
	})
	add(`select clock_timestamp(), pid, backend_start, coalesce(state, ''),
		       coalesce(wait_event_type || '.' || wait_event, ''),
		       greatest(extract(epoch from clock_timestamp() - state_change), 0)::float8,
		       greatest(extract(epoch from clock_timestamp() - xact_start), 0)::float8
		from pg_stat_activity
		where application_name = $1 and pid <> pg_backend_pid()
		order by backend_start, pid`, types{str}, types{instant, integer, instant, str, str, double, double}, func(v *session, args []any) ([][]any, string, error) {
		var rows [][]any
		now := time.Now()
		for _, o := range s.sessions {
			if o.application != args[0] || o == v {
				continue
			}
			transaction := 0.0 // what greatest makes of null
			if o.tx != nil && !o.tx.failed {
				transaction = now.Sub(o.tx.began).Seconds()
			}
			rows = append(rows, []any{now, o.pid, o.started, o.state, o.waitEvent, now.Sub(o.changed).Seconds(), transaction})
		}
		slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[1].(int32), b[1].(int32)) })
		return selected(rows...)
	})
	return known
}
