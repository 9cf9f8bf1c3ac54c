package holdcheck

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// secondCheckout reports whether a site takes a connection from the pool that h was
// taken from.
func (u *unit) secondCheckout(h *hold, s *site) (l leaf, is bool) {
	if h.pool.base == nil || s.call == nil || h.site == s {
		return l, false
	}
	used := map[key]leaf{}
	u.addPools(used, s)
	l, is = used[h.pool]
	return l, is
}

// addPools adds the pools that a site takes connections from, itself or by what it
// calls, as its function knows them.
func (u *unit) addPools(pools map[key]leaf, s *site) {
	if s.call == nil || len(s.args) == 0 {
		return
	}
	add := func(k key, l leaf) {
		if old, known := pools[k]; !known || l.before(old) {
			pools[k] = l
		}
	}
	if k := u.poolOf(s); k.base != nil {
		add(k, s.leaf(sink{Checkout, High}))
	}
	for _, t := range s.targets {
		for k, l := range t.pools {
			p, is := k.base.(*ssa.Parameter)
			if !is || p.Parent() != t.fn || len(l.Chain) > 4 {
				continue
			}
			i := parameterIndex(p)
			if i >= len(s.args) {
				continue
			}
			guards, can := pass(l, s.args, s.in)
			if !can {
				continue
			}
			at := u.keys.of(s.args[i])
			if len(at.path)+len(k.path) > maxPath {
				continue
			}
			l.Guards = append(guards, s.guards...)
			l.Chain = append([]Step{s.step}, l.Chain...)
			add(key{at.base, at.path + k.path}, l)
		}
	}
}

// translate is a key of a function that s calls, as s's function knows it.
func (u *unit) translate(k key, s *site) key {
	p, is := k.base.(*ssa.Parameter)
	if !is {
		return key{}
	}
	if p.Parent() == s.in.fn || encloses(p.Parent(), s.in.fn) {
		return k
	}
	i := parameterIndex(p)
	if i >= len(s.args) || len(s.targets) == 0 || s.targets[0].fn != p.Parent() {
		return key{}
	}
	at := u.keys.of(s.args[i])
	return key{at.base, at.path + k.path}
}

// poolGiven is the pool that a helper of a library is called with.
func (u *unit) poolGiven(s *site) key {
	for _, a := range s.args {
		if isPool(a.Type()) {
			return u.keys.of(a)
		}
		if m, is := a.(*ssa.MakeInterface); is && isPool(m.X.Type()) {
			return u.keys.of(m.X)
		}
	}
	return key{}
}

func isPool(t types.Type) bool {
	switch withoutVersion(typeName(t)) {
	case "gorm.io/gorm.DB", "github.com/jinzhu/gorm.DB", "database/sql.DB", "github.com/jmoiron/sqlx.DB",
		"github.com/jackc/pgx/pgxpool.Pool", "github.com/uptrace/bun.DB", "github.com/pghold/pghold/queuepool.Pool":
		return true
	}
	return false
}

// poolOf is the pool that a site takes a connection from, if it does.
func (u *unit) poolOf(s *site) key {
	if fn := s.call.StaticCallee(); fn == nil || fn.Signature.Recv() == nil {
		if s.opener != nil {
			return u.poolGiven(s)
		}
		return key{}
	}
	name := methodName(s.call)
	v := s.args[0]
	if !isPool(v.Type()) {
		return key{}
	}
	if t := typeName(v.Type()); t == "gorm.io/gorm.DB" || t == "github.com/jinzhu/gorm.DB" {
		if !gormFinishers[name] {
			return key{}
		}
		for {
			call, is := v.(*ssa.Call)
			if !is || call.Call.IsInvoke() || methodName(&call.Call) == "Begin" || typeName(call.Type()) != t ||
				len(call.Call.Args) == 0 || typeName(call.Call.Args[0].Type()) != t {
				return u.keys.of(v)
			}
			v = call.Call.Args[0]
		}
	}
	if poolUses[name] || s.opener != nil {
		return u.keys.of(v)
	}
	return key{}
}

// poolUses are the methods of pools that take a connection, if only for a moment.
var poolUses = map[string]bool{
	"Exec": true, "ExecContext": true, "Query": true, "QueryContext": true, "QueryRow": true, "QueryRowContext": true,
	"Begin": true, "BeginTx": true, "Conn": true, "Acquire": true, "Ping": true, "PingContext": true, "Prepare": true,
	"PrepareContext": true, "SendBatch": true, "CopyFrom": true, "Get": true, "Select": true, "GetContext": true,
	"SelectContext": true, "NamedExec": true, "NamedExecContext": true, "Queryx": true, "QueryxContext": true,
	"QueryRowx": true, "QueryRowxContext": true, "Beginx": true, "BeginTxx": true, "RunInTx": true,
}

// gormFinishers are the methods of gorm.DB that send a statement.
var gormFinishers = map[string]bool{
	"Create": true, "CreateInBatches": true, "Save": true, "First": true, "FirstOrCreate": true, "FirstOrInit": true,
	"Take": true, "Last": true, "Find": true, "FindInBatches": true, "Update": true, "Updates": true, "UpdateColumn": true,
	"UpdateColumns": true, "Delete": true, "Exec": true, "Scan": true, "Row": true, "Rows": true, "Count": true,
	"Pluck": true, "Transaction": true, "Begin": true,
}

func typeName(t types.Type) string {
	if p, is := types.Unalias(t).(*types.Pointer); is {
		t = p.Elem()
	}
	if n, is := types.Unalias(t).(*types.Named); is && n.Obj().Pkg() != nil {
		return n.Obj().Pkg().Path() + "." + n.Obj().Name()
	}
	return ""
}
