package session_test

import (
	"context"
	"database/sql/driver"
	"errors"
)

// otherDriver is a database/sql driver that is not pgx's and can do nothing.
type otherDriver struct{}

func (otherDriver) Open(string) (driver.Conn, error)             { return otherConn{}, nil }
func (otherDriver) Connect(context.Context) (driver.Conn, error) { return otherConn{}, nil }
func (d otherDriver) Driver() driver.Driver                      { return d }

type otherConn struct{}

var errNothing = errors.New("this driver can do nothing")

func (otherConn) Prepare(string) (driver.Stmt, error) { return nil, errNothing }
func (otherConn) Close() error                        { return nil }
func (otherConn) Begin() (driver.Tx, error)           { return nil, errNothing }
