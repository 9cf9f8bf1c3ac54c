package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/internal/pg/connstring"
)

// Database is a Postgres on which the lab may run: in a schema of its own, with
// a name that nobody else has, which Close drops. Until then it keeps a connection,
// which tells other runs that this one lives.
type Database struct {
	dsn     string
	network Network
	schema  string
	keeper  *pgx.Conn // has the lock on the schema's name; nil where none can
	// Version is the server's, "15.18".
	Version string
	// Swept says what OpenDatabase found there of runs that were killed, and what it
	// did with it: a sentence each.
	Swept []string
}

const schemaPrefix = "pghold_lab_"

// closeTimeout bounds the dropping of the schema, which happens after the
// run's own context may have ended.
const closeTimeout = 10 * time.Second

// OpenDatabase connects to a Postgres, checks that it has room for so many
// connections of the app beside those in use, by max_connections and by the limits of
// the role and of the database, and sets the schema up. It drops the schemas of runs
// that were killed.
func OpenDatabase(ctx context.Context, dsn string, connections int) (*Database, error) {
	return OpenDatabaseIn(ctx, nil, dsn, connections)
}

// OpenDatabaseIn is OpenDatabase for a lab whose parts another network connects. Of a
// server in memory it neither keeps a connection nor drops what others have left: nobody
// else is there.
func OpenDatabaseIn(ctx context.Context, network Network, dsn string, connections int) (_ *Database, err error) {
	conn, err := connect(ctx, network, dsn)
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() {
		if err != nil || !kept {
			conn.Close(context.WithoutCancel(ctx))
		}
	}()

	suffix := make([]byte, 4)
	rand.Read(suffix)
	db := &Database{dsn: dsn, network: network, schema: schemaPrefix + hex.EncodeToString(suffix)}
	if err := conn.QueryRow(ctx, `select split_part(current_setting('server_version'), ' ', 1)`).Scan(&db.Version); err != nil {
		return nil, fmt.Errorf("asking Postgres for its version: %w", err)
	}
	if err := checkRoom(ctx, conn, connections+2); err != nil { // to watch, and to look at the tables; this one is counted
		return nil, err
	}

	if network == nil {
		if kept = db.own(ctx, conn); kept {
			db.keeper = conn
		}
	}
	_, err = conn.Exec(ctx, db.setup())
	if err == nil {
		if network == nil {
			db.Swept = db.sweep(ctx, conn)
		}
		return db, nil
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42501" { // insufficient_privilege
		cc := conn.Config()
		return nil, fmt.Errorf("role %q may not create a schema in database %q, and the lab needs one for its table: "+
			"grant create on database %s to %s, or use another --dsn", cc.User, cc.Database,
			pgx.Identifier{cc.Database}.Sanitize(), pgx.Identifier{cc.User}.Sanitize())
	}
	return nil, fmt.Errorf("setting up the lab's schema: %w", err)
}

// major is the first part of the server's version.
func (db *Database) major() int {
	first, _, _ := strings.Cut(db.Version, ".")
	n := 0
	fmt.Sscanf(first, "%d", &n) // "18beta1" among them
	return n
}

// Close drops the schema.
func (db *Database) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	conn := db.keeper
	if conn == nil || conn.Ping(ctx) != nil { // somebody may have ended it
		var err error
		if conn, err = connect(ctx, db.network, db.dsn); err != nil {
			return err
		}
	}
	defer conn.Close(ctx)
	_, err := conn.Exec(ctx, "drop schema "+db.schema+" cascade")
	return err
}

// connectTimeout is for a --dsn that sets none of its own.
const connectTimeout = 10 * time.Second

func connect(ctx context.Context, network Network, dsn string) (*pgx.Conn, error) {
	cc, err := connstring.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("the connection string is not valid: %w", err)
	}
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = connectTimeout
	}
	if network != nil {
		cc.DialFunc = network.Dial
	}
	cc.RuntimeParams["application_name"] = "pghold lab"
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to Postgres: %s: check --dsn, and that the server is up and lets this role in",
			strings.Join(strings.Fields(connstring.Hide(cc, err).Error()), " "))
	}
	return conn, nil
}
