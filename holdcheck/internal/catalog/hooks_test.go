package catalog

import "testing"

func TestHookOf(t *testing.T) {
	w := newWorld(t)
	w.add("gorm.io/gorm", `package gorm
		type DB struct{}`)
	w.add("github.com/jackc/pgx/v5", `package pgx
		type CopyFromSource interface{ Next() bool }`)
	w.add("github.com/uptrace/bun", `package bun
		type Tx struct{}`)
	funcs := w.add("example.com/app", `package app
		import (
			"context"
			"database/sql/driver"

			"github.com/jackc/pgx/v5"
			"github.com/uptrace/bun"
			"gorm.io/gorm"
		)
		var _ bun.Tx
		var _ pgx.CopyFromSource
		type order struct{}
		func (*order) BeforeSave(*gorm.DB) error
		func (*order) AfterFind(*gorm.DB) error
		func (*order) AfterScanRow(context.Context) error
		func (order) Value() (driver.Value, error)
		func (*order) Scan(any) error
		type other struct{}
		func (*other) BeforeSave(context.Context) error
		func (*other) Value() (string, error)
		func (*other) Scan(string) error
		func BeforeSave(*gorm.DB) error
		type pages struct{}
		func (*pages) Next() bool
		func (*pages) Values() ([]any, error)
		func (*pages) Err() error
		type list struct{}
		func (*list) Next() bool`)
	for name, want := range map[string]Handle{
		"(*order).BeforeSave": Transaction, "(*order).AfterScanRow": Rows, "(order).Value": Connection, "(*order).Scan": Rows,
		"(*pages).Next":      Connection,
		"(*order).AfterFind": "", "(*other).BeforeSave": "", "(*other).Value": "", "(*other).Scan": "", "BeforeSave": "", "(*list).Next": "",
	} {
		if got, ok := HookOf(funcs[name]); got != want || ok != (want != "") {
			t.Errorf("%s is called while %q is held, want %q", name, got, want)
		}
	}
}
