//go:build go1.27

package sqlhold

import "database/sql/driver"

// columnScanner is driver.RowsColumnScanner without its driver.Rows. database/sql
// then calls NextRow in place of Next.
type columnScanner interface {
	NextRow() error
	ScanColumn(ctx driver.ScanContext, index int, dest any) error
}
