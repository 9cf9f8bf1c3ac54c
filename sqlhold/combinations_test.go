package sqlhold

import (
	"bytes"
	"context"
	"database/sql/driver"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Of everything a driver may have, the wrapper has exactly that.
func TestCombinations(t *testing.T) {
	c := base{&conn{}}
	for bits := range uint(1 << 8) {
		if got := connInterfaces(combineConn(c, bits)); got != bits {
			t.Errorf("a connection with the interfaces %b has become one with %b", bits, got)
		}
		conn := combineConn(c, bits)
		_, resets := conn.(driver.SessionResetter)
		if _, validates := conn.(driver.Validator); !resets || !validates {
			t.Errorf("a connection with the interfaces %b does not tell of its checkout and release", bits)
		}
	}
	for bits := range uint(1 << 4) {
		if got := stmtInterfaces(combineStmt(&stmt{}, bits)); got != bits {
			t.Errorf("a statement with the interfaces %b has become one with %b", bits, got)
		}
	}
	for bits := range uint(1 << 7) {
		if got := rowsInterfaces(combineRows(rows{Rows: allRows{}}, bits)); got != bits {
			t.Errorf("rows with the interfaces %b have become ones with %b", bits, got)
		}
	}
}

// allRows has all the optional interfaces, for combineRows to take from.
type allRows struct {
	driver.Rows
	nextResultSet
	columnScanType
	columnDatabaseTypeName
	columnLength
	columnNullable
	columnPrecisionScale
	columnScanner
}

// What was generated is what gen.go generates.
func TestCombinations_AreFresh(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(context.Background(), "go", "run", "gen.go", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(dir, "combinations.go"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("combinations.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("combinations.go is not what gen.go makes: run go generate ./sqlhold")
	}
}

func TestEffectOf(t *testing.T) {
	for text, want := range map[string]effect{
		"BEGIN":                           begins,
		" /* app */ begin -- x\n; ":       begins,
		"begin work":                      begins,
		"begin isolation level read only": begins,
		"start transaction read only":     begins,
		"commit":                          ends,
		"COMMIT AND NO CHAIN;":            ends,
		"commit and chain":                none,
		"end":                             ends,
		"abort":                           ends,
		"rollback":                        ends,
		"rollback transaction":            ends,
		"rollback to savepoint a":         none,
		"rollback prepared 'x'":           none,
		"commit prepared 'x'":             none,
		"savepoint a":                     none,
		"begin; select 1; commit":         ends,
		"begin; select 1":                 begins,
		"begin atomic select 1; end":      none,
		"select 'begin'":                  none,
		"":                                none,
		";":                               none,
		"/* open":                         none,
		"beginning":                       none,
		"create function f() as $$ begin; end $$": none,
	} {
		if got := effectOf(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
