package catalog

import (
	"go/types"
	"slices"
)

// openers take a connection from a pool, for longer than their own call. A savepoint
// takes none, and neither does a statement on what is held already.
var openers = newTable(map[string]Opener{
	// database/sql
	"(*database/sql.DB).{Begin,BeginTx}":               begins,
	"(*database/sql.DB).Conn":                          takes("Close"),
	"(*database/sql.DB).{Query,QueryContext}":          rows,
	"(*database/sql.DB).{QueryRow,QueryRowContext}":    row,
	"(*database/sql.Conn).BeginTx":                     begins.nested(),
	"(*database/sql.Conn).QueryContext":                rows.nested(),
	"(*database/sql.Conn).Raw":                         during(Connection, 0).nested(),
	"(*database/sql.Stmt).{Query,QueryContext}":        rows.nested(), // of a Tx, it may be
	"(*database/sql.Stmt).{QueryRow,QueryRowContext}":  row.nested(),
	"(entgo.io/ent/dialect.Driver).Tx":                 begins.nested(),
	"(*entgo.io/ent/dialect.DebugDriver).{Tx,BeginTx}": begins.nested(),
	"(*entgo.io/ent/dialect/sql.Driver).{Tx,BeginTx}":  begins,

	// pgx
	"(*github.com/jackc/pgx/pgxpool.Pool).{Begin,BeginTx}":          begins,
	"(*github.com/jackc/pgx/pgxpool.Pool).BeginFunc":                during(Transaction, 1), // v4
	"(*github.com/jackc/pgx/pgxpool.Pool).BeginTxFunc":              during(Transaction, 2),
	"(*github.com/jackc/pgx/pgxpool.Pool).{Acquire,AcquireAllIdle}": takes("Release", "Hijack"),
	"(*github.com/jackc/pgx/pgxpool.Pool).AcquireFunc":              during(Connection, 1),
	"(*github.com/jackc/pgx/pgxpool.Pool).Query":                    rows,
	"(*github.com/jackc/pgx/pgxpool.Pool).QueryRow":                 row,
	"(*github.com/jackc/pgx/pgxpool.Pool).SendBatch":                {What: Batch, Result: 0, Callback: None, Closers: []string{"Close"}},
	"(*github.com/jackc/pgx/pgxpool.Pool).CopyFrom":                 during(Connection, 3),
	"(*github.com/jackc/pgx/pgxpool.Conn).{Begin,BeginTx}":          begins.nested(),
	"(*github.com/jackc/pgx/pgxpool.Conn).BeginFunc":                during(Transaction, 1).nested(),
	"(*github.com/jackc/pgx/pgxpool.Conn).BeginTxFunc":              during(Transaction, 2).nested(),
	// A connection that was made by hand is of no pool, and a transaction on it holds
	// locks all the same.
	"(*github.com/jackc/pgx.Conn).{Begin,BeginTx}":       begins.nested(),
	"(*github.com/jackc/pgx.Conn).BeginFunc":             during(Transaction, 1).nested(),
	"(*github.com/jackc/pgx.Conn).BeginTxFunc":           during(Transaction, 2).nested(),
	"github.com/jackc/pgx.BeginFunc":                     during(Transaction, 2).nested(),
	"github.com/jackc/pgx.BeginTxFunc":                   during(Transaction, 3).nested(),
	"(*github.com/jackc/pgx/pgxpool.{Conn,Tx}).CopyFrom": during(Connection, 3).nested(),
	"(*github.com/jackc/pgx.Conn).CopyFrom":              during(Connection, 3).nested(),
	"(github.com/jackc/pgx.Tx).CopyFrom":                 during(Transaction, 3).nested(),
	// These run later, when the results of the batch are read.
	"(*github.com/jackc/pgx.QueuedQuery).{Query,QueryRow,Exec}": during(Batch, 0).nested(),
	// They call their function at each row.
	"github.com/jackc/pgx.{CollectRows,CollectOneRow,CollectExactlyOneRow}": during(Rows, 1).nested(),
	"github.com/jackc/pgx.{AppendRows,ForEachRow}":                          during(Rows, 2).nested(),

	// this project
	"(*github.com/pghold/pghold/queuepool.Pool).Acquire":                          takes("Release"),
	"(github.com/pghold/pghold/session.Pool).Acquire":                             takes("Release"),
	"(*github.com/pghold/pghold/session.Session).{Exec,Query,QueryRow,SendBatch}": atStatement,
	"(*github.com/pghold/pghold/session.Session).CopyFrom":                        atStatement.calling(3),

	// sqlx
	"(*github.com/jmoiron/sqlx.DB).{Beginx,BeginTxx,MustBegin,MustBeginTx}":             begins,
	"(*github.com/jmoiron/sqlx.DB).Connx":                                               takes("Close"),
	"(*github.com/jmoiron/sqlx.DB).{Queryx,QueryxContext,NamedQuery,NamedQueryContext}": rows,
	"(*github.com/jmoiron/sqlx.DB).{QueryRowx,QueryRowxContext}":                        sqlxRow,
	"(*github.com/jmoiron/sqlx.Conn).BeginTxx":                                          begins.nested(),
	"(*github.com/jmoiron/sqlx.Conn).QueryxContext":                                     rows.nested(),
	"(*github.com/jmoiron/sqlx.{Stmt,NamedStmt}).{Queryx,QueryxContext}":                rows.nested(),
	"(*github.com/jmoiron/sqlx.NamedStmt).{Query,QueryContext}":                         rows.nested(),
	"github.com/jmoiron/sqlx.{NamedQuery,NamedQueryContext}":                            rows.nested(),
	"(github.com/jmoiron/sqlx.Queryer).{Query,Queryx}":                                  rows.nested(),
	"(github.com/jmoiron/sqlx.QueryerContext).{QueryContext,QueryxContext}":             rows.nested(),

	// gorm: a transaction and a pool are both a DB
	"(*gorm.io/gorm.DB).Begin":                     begins.nested(),
	"(*gorm.io/gorm.DB).Transaction":               during(Transaction, 0).nested(),
	"(*gorm.io/gorm.DB).Connection":                during(Connection, 0).nested(),
	"(*gorm.io/gorm.DB).Rows":                      rows.nested(),
	"(*gorm.io/gorm.DB).Row":                       row.nested(),
	"(*github.com/jinzhu/gorm.DB).{Begin,BeginTx}": {What: Transaction, Callback: None, Closers: []string{"Commit", "Rollback", "RollbackUnlessCommitted"}, Nests: true},
	"(*github.com/jinzhu/gorm.DB).Transaction":     during(Transaction, 0).nested(),
	"(*github.com/jinzhu/gorm.DB).Rows":            rows.nested(),
	"(*github.com/jinzhu/gorm.DB).Row":             row.nested(),

	// bun
	"(*github.com/uptrace/bun.DB).{Begin,BeginTx}":      begins,
	"(*github.com/uptrace/bun.DB).RunInTx":              during(Transaction, 2),
	"(*github.com/uptrace/bun.DB).Conn":                 takes("Close"),
	"(*github.com/uptrace/bun.DB).{Query,QueryContext}": rows,
	"(*github.com/uptrace/bun.SelectQuery).Rows":        rows.nested(),
	"(github.com/uptrace/bun.Conn).BeginTx":             begins.nested(),
	"(github.com/uptrace/bun.Conn).RunInTx":             during(Transaction, 2).nested(),
	"(github.com/uptrace/bun.IDB).BeginTx":              begins.nested(),
	"(github.com/uptrace/bun.IDB).RunInTx":              during(Transaction, 2).nested(),

	// pop: an inner transaction is the outer one
	"(*github.com/{gobuffalo,ory}/pop.Connection).{Transaction,Rollback}": during(Transaction, 0).nested(),
	// What is held is its field TX.
	"(*github.com/{gobuffalo,ory}/pop.Connection).{NewTransaction,NewTransactionContext,NewTransactionContextOptions}": begins.nested(),

	// xorm: a session holds from Begin on
	"(*{xorm.io,github.com/go-xorm,github.com/xorm-io}/xorm.Session).Begin":                        {What: Transaction, Result: Receiver, Callback: None, Closers: []string{"Commit", "Rollback", "Close"}, Nests: true},
	"(*{xorm.io,github.com/go-xorm,github.com/xorm-io}/xorm.Engine).Transaction":                   during(Transaction, 0),
	"(*{xorm.io,github.com/go-xorm,github.com/xorm-io}/xorm.Engine).Rows":                          rows,
	"(*xorm.io/xorm.EngineGroup).Rows":                                                             rows,
	"(*{xorm.io,github.com/go-xorm,github.com/xorm-io}/xorm.Session).Rows":                         rows.nested(),
	"(*{xorm.io,github.com/go-xorm,github.com/xorm-io}/xorm.{Engine,Session}).Iterate":             during(Rows, 1).nested(),
	"(*{xorm.io/xorm,xorm.io,github.com/go-xorm,github.com/xorm-io}/core.DB).{Begin,BeginTx}":      begins,
	"(*{xorm.io/xorm,xorm.io,github.com/go-xorm,github.com/xorm-io}/core.DB).{Query,QueryContext}": rows,

	// go-pg
	"(*github.com/go-pg/pg.baseDB).{Begin,BeginContext}": {What: Transaction, Callback: None, Closers: []string{"Commit", "Rollback", "Close", "CommitContext", "RollbackContext", "CloseContext"}},
	"(*github.com/go-pg/pg.baseDB).RunInTransaction":     during(Transaction, 0),
	"(*github.com/go-pg/pg/v10.baseDB).RunInTransaction": during(Transaction, 1),
	"(*github.com/go-pg/pg.DB).Conn":                     takes("Close"),

	// others
	"(*github.com/pocketbase/dbx.DB).{Begin,BeginTx}":                                    begins,
	"(*github.com/pocketbase/dbx.DB).Transactional":                                      during(Transaction, 0),
	"(*github.com/pocketbase/dbx.DB).TransactionalContext":                               during(Transaction, 2),
	"(*github.com/pocketbase/dbx.Query).Rows":                                            rows.nested(),
	"(*github.com/pocketbase/dbx.SelectQuery).Rows":                                      rows.nested(),
	"(github.com/pocketbase/pocketbase/core.App).RunInTransaction":                       during(Transaction, 0).nested(),
	"(github.com/pocketbase/pocketbase/core.App).AuxRunInTransaction":                    during(Transaction, 0).nested(),
	"(*github.com/doug-martin/goqu.Database).{Begin,BeginTx}":                            begins,
	"(*github.com/doug-martin/goqu.Database).WithTx":                                     during(Transaction, 0),
	"(*github.com/doug-martin/goqu.Database).{Query,QueryContext}":                       rows,
	"(*github.com/doug-martin/goqu.TxDatabase).Wrap":                                     during(Transaction, 0).nested(),
	"(*github.com/gocraft/dbr.Session).{Begin,BeginTx}":                                  {What: Transaction, Callback: None, Closers: []string{"Commit", "Rollback", "RollbackUnlessCommitted"}},
	"(*github.com/go-gorp/gorp.DbMap).Begin":                                             begins,
	"(*gopkg.in/gorp.{v1,v2,v3}.DbMap).Begin":                                            begins,
	"(github.com/upper/db.Session).Tx":                                                   during(Transaction, 0).nested(),
	"(github.com/upper/db.Session).TxContext":                                            during(Transaction, 1).nested(),
	"github.com/cockroachdb/cockroach-go/crdb.ExecuteTx":                                 during(Transaction, 3),
	"github.com/cockroachdb/cockroach-go/crdb.ExecuteInTx":                               during(Transaction, 2).nested(),
	"github.com/cockroachdb/cockroach-go/crdb/{crdbpgx,crdbpgxv5,crdbsqlx}.ExecuteTx":    during(Transaction, 3),
	"github.com/cockroachdb/cockroach-go/crdb/crdbgorm.ExecuteTx":                        during(Transaction, 3),
	"(github.com/avito-tech/go-transaction-manager/trm.Manager).Do":                      during(Transaction, 1).nested(),
	"(github.com/avito-tech/go-transaction-manager/trm.Manager).DoWithSettings":          during(Transaction, 2).nested(),
	"(*github.com/avito-tech/go-transaction-manager/trm/manager.Manager).Do":             during(Transaction, 1).nested(),
	"(*github.com/avito-tech/go-transaction-manager/trm/manager.Manager).DoWithSettings": during(Transaction, 2).nested(),
	"(github.com/Thiht/transactor.Transactor).WithinTransaction":                         during(Transaction, 1).nested(),

	// beego
	"(github.com/beego/beego/client/orm.TxBeginner).{Begin,BeginWithCtx,BeginWithOpts,BeginWithCtxAndOpts}": {What: Transaction, Callback: None, Closers: []string{"Commit", "Rollback", "RollbackUnlessCommit"}},
	"(github.com/beego/beego/client/orm.TxBeginner).DoTx":                                                   during(Transaction, 0),
	"(github.com/beego/beego/client/orm.TxBeginner).{DoTxWithCtx,DoTxWithOpts}":                             during(Transaction, 1),
	"(github.com/beego/beego/client/orm.TxBeginner).DoTxWithCtxAndOpts":                                     during(Transaction, 2),
	"(github.com/astaxie/beego/orm.Ormer).{Begin,BeginTx}":                                                  {What: Transaction, Result: Receiver, Callback: None, Closers: []string{"Commit", "Rollback"}},
})

var (
	begins = Opener{What: Transaction, Callback: None, Closers: []string{"Commit", "Rollback"}}
	rows   = Opener{What: Rows, Callback: None, Closers: []string{"Close", "Next"}}
	row    = Opener{What: Row, Callback: None, Closers: []string{"Scan"}} // Err does not release

	sqlxRow = Opener{What: Row, Callback: None, Closers: []string{"Scan", "StructScan", "MapScan", "SliceScan"}}

	// atStatement is a session that has nothing before its first statement. Outside
	// releases before it calls its argument.
	atStatement = Opener{What: Session, Result: Receiver, Callback: None, Closers: []string{"Commit", "Rollback", "Close", "Outside"}, Nests: true}
)

func takes(closers ...string) Opener {
	return Opener{What: Connection, Callback: None, Closers: closers}
}

func during(what Handle, callback int) Opener {
	return Opener{What: what, Result: None, Callback: callback}
}

func (o Opener) nested() Opener {
	o.Nests = true
	return o
}

func (o Opener) calling(argument int) Opener {
	o.Callback = argument
	return o
}

// openerOf is what the tables say of a function that takes a connection. Interfaces
// that projects write so that a pool fits them are known by what their methods are
// called and return.
func openerOf(fn *types.Func) (Opener, bool) {
	if o, ok := openers.find(FullName(fn)); ok {
		return o, true
	}
	if i := transactionBody(fn); i >= 0 {
		return during(Transaction, i).nested(), true
	}
	recv := fn.Signature().Recv()
	if recv == nil || !types.IsInterface(recv.Type()) || fn.Pkg() == nil || Curated(fn.Pkg().Path()) {
		return Opener{}, false
	}
	results := fn.Signature().Results()
	if results.Len() == 0 {
		return Opener{}, false
	}
	kind, known := handed[withoutVersion(results.At(0).Type().String())]
	if !known || !slices.Contains(kind.methods, fn.Name()) {
		return Opener{}, false
	}
	if kind.methods[0] == "Begin" && HasMethod(recv.Type(), "Commit") {
		return Opener{}, false // a savepoint
	}
	return kind.Opener.nested(), true
}

// transactionBody is the number of the argument of a driver's method that runs inside
// a transaction, by the method's name: interfaces that are not in the table.
func transactionBody(fn *types.Func) int {
	if fn.Pkg() == nil || fn.Signature().Recv() == nil || !Driver(fn.Pkg().Path()) || IsStd(fn.Pkg().Path()) {
		return None
	}
	switch fn.Name() {
	case "RunInTransaction", "RunInTx", "Transaction", "WithTx", "WithTransaction", "InTx", "InTransaction":
	default:
		return None
	}
	params := fn.Signature().Params()
	for i := range params.Len() {
		if _, ok := params.At(i).Type().Underlying().(*types.Signature); ok {
			return i
		}
	}
	return None
}

type handedBy struct {
	Opener
	methods []string
}

// handed are the types of transactions, connections and rows, and the methods that
// return them in the libraries that they are from.
var handed = func() map[string]handedBy {
	m := map[string]handedBy{}
	add := func(o Opener, methods []string, types ...string) {
		for _, t := range types {
			m[t] = handedBy{o, methods}
		}
	}
	add(begins, []string{"Begin", "BeginTx", "Beginx", "BeginTxx", "MustBegin", "MustBeginTx", "BeginContext", "Tx"},
		"*database/sql.Tx", "github.com/jackc/pgx.Tx", "*github.com/jackc/pgx/pgxpool.Tx", "*github.com/jmoiron/sqlx.Tx",
		"github.com/uptrace/bun.Tx", "entgo.io/ent/dialect.Tx", "*github.com/go-pg/pg.Tx", "*github.com/gocraft/dbr.Tx",
		"*github.com/doug-martin/goqu.TxDatabase", "*github.com/pocketbase/dbx.Tx")
	add(takes("Close"), []string{"Conn", "Connx"}, "*database/sql.Conn", "*github.com/jmoiron/sqlx.Conn", "github.com/uptrace/bun.Conn")
	add(takes("Release", "Hijack"), []string{"Acquire"}, "*github.com/jackc/pgx/pgxpool.Conn")
	add(rows, []string{"Query", "QueryContext", "Queryx", "QueryxContext", "NamedQuery", "NamedQueryContext"},
		"*database/sql.Rows", "github.com/jackc/pgx.Rows", "*github.com/jmoiron/sqlx.Rows")
	return m
}()
