package lab

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A schema that another run has left on somebody's server is dropped only where it is
// surely the lab's and that run is surely gone:
//
//   - It has the lab's name and comment, and this role may drop it.
//   - Nobody has the advisory lock that its run has had since before the schema was there,
//     on a connection that it keeps. The server lets go of it when that connection ends,
//     whatever machine the run was on.
//   - No other session of pghold is in the database: a run whose kept connection was ended
//     by somebody else still has others.
//   - The lab's tables are all that is in it, and nothing else depends on them.
//
// A run that reaches the server through a pooler cannot have such a lock: the pooler lends
// the session to others, to whom the lock then is their own. Its schema gets no comment.
const (
	schemaComment = "Made by pghold lab, and dropped when it ends. If it was killed, the next one drops this."
	lockClass     = 0x7067686c // the first half of the lock's key; the second is in the schema's name
	dropLimit     = "2s"       // of a wait for somebody who uses a table of it
)

// lockKey is the second half of the key.
func (db *Database) lockKey() int32 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(db.schema, schemaPrefix), 16, 32)
	return int32(n)
}

// own takes the lock on the schema's name, and reports whether conn can keep it.
func (db *Database) own(ctx context.Context, conn *pgx.Conn) bool {
	var pid uint32
	err := conn.QueryRow(ctx, "select pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	if err != nil || pid != conn.PgConn().PID() { // a pooler makes one up
		return false
	}
	var locked bool
	err = conn.QueryRow(ctx, "select pg_try_advisory_lock($1, $2)", pgx.QueryExecModeExec, int32(lockClass), db.lockKey()).Scan(&locked)
	if err != nil || !locked {
		return false
	}
	// It says nothing for as long as the run lasts.
	_, err = conn.Exec(ctx, "select set_config(name, '0', false) from pg_settings where name = 'idle_session_timeout'")
	return err == nil
}

// leftover is a condition on a row of pg_namespace, with the comment as $1.
const leftover = `nspname ~ '^` + schemaPrefix + `[0-9a-f]{8}$' and obj_description(oid, 'pg_namespace') = $1
	and pg_has_role(nspowner, 'usage')
	and not exists (select from pg_stat_activity
		where datname = current_database() and application_name like 'pghold %' and pid <> pg_backend_pid())`

// sweep drops what runs that are gone have left, and returns a sentence about each.
func (db *Database) sweep(ctx context.Context, conn *pgx.Conn) (said []string) {
	rows, _ := conn.Query(ctx, "select nspname::text from pg_namespace where nspname <> $2 and "+leftover,
		pgx.QueryExecModeExec, schemaComment, db.schema)
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil // nothing that a run needs
	}
	for _, schema := range schemas {
		switch err := (&Database{schema: schema}).dropLeftover(ctx, conn); {
		case err == nil:
			said = append(said, fmt.Sprintf("Dropped the schema %s, left by a run that was killed.", schema))
		case !errors.Is(err, errNotLeft):
			said = append(said, fmt.Sprintf("Could not drop the schema %s, left by a run that was killed: %v.", schema, err))
		}
	}
	return said
}

var errNotLeft = errors.New("the schema is somebody's, or gone")

func (db *Database) dropLeftover(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var free, left bool
		err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1, $2)", pgx.QueryExecModeExec, int32(lockClass), db.lockKey()).Scan(&free)
		if err == nil && free {
			err = tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $2 and "+leftover+")",
				pgx.QueryExecModeExec, schemaComment, db.schema).Scan(&left)
		}
		if err != nil {
			return err
		}
		if !left {
			return errNotLeft
		}
		_, err = tx.Exec(ctx, "set local lock_timeout = '"+dropLimit+"';"+db.teardown())
		return err
	})
}
