package catalog

import "go/types"

// IsPool reports whether a type is a pool of connections, or what stands for one.
func IsPool(t types.Type) bool {
	switch withoutVersion(TypeName(t)) {
	case "gorm.io/gorm.DB", "github.com/jinzhu/gorm.DB", "database/sql.DB", "github.com/jmoiron/sqlx.DB",
		"github.com/jackc/pgx/pgxpool.Pool", "github.com/uptrace/bun.DB", "github.com/pghold/pghold/queuepool.Pool":
		return true
	}
	return false
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

// closerNames are methods that end a hold, whatever it is wrapped in.
var closerNames = map[string]bool{
	"Commit": true, "Rollback": true, "Close": true, "Release": true, "Abort": true, "Discard": true,
	"RollbackUnlessCommitted": true, "CommitTx": true, "RollbackTx": true, "CommitTransaction": true,
	"RollbackTransaction": true, "AbortTransaction": true, "Finish": true, "End": true, "Done": true, "Hijack": true,
	"MustCommit": true, "MustRollback": true, "CommitAndClose": true, "Complete": true, "EndTransaction": true,
}

// IsPoolUse reports whether a pool's method takes a connection, if only for a moment.
func IsPoolUse(method string) bool { return poolUses[method] }

// IsGormFinisher reports whether a method of gorm.DB sends a statement.
func IsGormFinisher(method string) bool { return gormFinishers[method] }

// IsCloser reports whether a method ends a hold, whatever that is wrapped in.
func IsCloser(method string) bool { return closerNames[method] }

// HasCloser reports whether a type has a method that ends a hold.
func HasCloser(t types.Type) bool {
	for name := range closerNames {
		if HasMethod(t, name) {
			return true
		}
	}
	return false
}
