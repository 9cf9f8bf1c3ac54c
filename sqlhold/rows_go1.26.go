//go:build !go1.27

package sqlhold

import (
	"database/sql/driver"

	"github.com/pghold/pghold"
)

func newRows(inner driver.Rows, c *conn, hold *pghold.Checkout) driver.Rows {
	return &rows{inner, c, hold}
}
