//go:build go1.27

package sqlhold

import (
	"database/sql/driver"

	"github.com/pghold/pghold"
)

// scanningRows are those of a driver that has RowsColumnScanner. They are a type of
// their own because database/sql then calls NextRow in place of Next.
type scanningRows struct {
	rows
	columnScanner
}

// columnScanner is driver.RowsColumnScanner without its driver.Rows.
type columnScanner interface {
	NextRow() error
	ScanColumn(ctx driver.ScanContext, index int, dest any) error
}

func newRows(inner driver.Rows, c *conn, hold *pghold.Checkout) driver.Rows {
	if scanner, ok := inner.(driver.RowsColumnScanner); ok {
		return &scanningRows{rows{inner, c, hold}, scanner}
	}
	return &rows{inner, c, hold}
}
