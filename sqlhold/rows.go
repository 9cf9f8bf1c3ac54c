package sqlhold

import (
	"database/sql/driver"
	"reflect"

	"github.com/pghold/pghold"
)

// rows are a result set with what every one has; they are put together like a
// connection, of the driver's own methods. Closing them ends their statement,
// further result sets do not.
type rows struct {
	driver.Rows
	c    *conn
	hold *pghold.Checkout
}

func (r *rows) Close() error {
	err := r.Rows.Close()
	r.c.end(r.hold)
	r.hold = nil
	return err
}

// The optional interfaces, without the driver.Rows that the driver package's have
// in them.
type (
	nextResultSet interface {
		HasNextResultSet() bool
		NextResultSet() error
	}
	columnScanType interface {
		ColumnTypeScanType(index int) reflect.Type
	}
	columnDatabaseTypeName interface {
		ColumnTypeDatabaseTypeName(index int) string
	}
	columnLength interface {
		ColumnTypeLength(index int) (length int64, ok bool)
	}
	columnNullable interface {
		ColumnTypeNullable(index int) (nullable, ok bool)
	}
	columnPrecisionScale interface {
		ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool)
	}
)
