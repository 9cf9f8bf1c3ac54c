package catalog

import (
	"go/types"
	"slices"
	"strings"
)

// gormHooks run inside of the transaction in which gorm writes. AfterFind has none.
var gormHooks = []string{
	"BeforeSave", "AfterSave", "BeforeCreate", "AfterCreate", "BeforeUpdate", "AfterUpdate", "BeforeDelete", "AfterDelete",
}

// HookOf says what is held while a library calls a method of a project's own type,
// and whether it is such a method.
func HookOf(fn *types.Func) (what Handle, ok bool) {
	sig := fn.Signature()
	if sig.Recv() == nil || types.IsInterface(sig.Recv().Type()) || fn.Pkg() == nil {
		return "", false
	}
	var in, out []string
	for v := range sig.Params().Variables() {
		in = append(in, withoutVersion(v.Type().String()))
	}
	for v := range sig.Results().Variables() {
		out = append(out, withoutVersion(v.Type().String()))
	}
	shape := strings.Join(in, ", ") + " → " + strings.Join(out, ", ")
	switch {
	case slices.Contains(gormHooks, fn.Name()):
		switch shape {
		case "*gorm.io/gorm.DB → error",
			"*github.com/jinzhu/gorm.DB → error", "*github.com/jinzhu/gorm.DB → ",
			"*github.com/jinzhu/gorm.Scope → error", "*github.com/jinzhu/gorm.Scope → ":
			return Transaction, true
		}
	case fn.Name() == "Value" && shape == " → database/sql/driver.Value, error":
		return Connection, true // its statement has one already
	case fn.Name() == "Scan" && (shape == "any → error" || shape == "interface{} → error"):
		return Rows, true
	case (fn.Name() == "BeforeScanRow" || fn.Name() == "AfterScanRow") && shape == "context.Context → error" && Imports(fn.Pkg(), "github.com/uptrace/bun"):
		return Rows, true
	case fn.Name() == "Next" && shape == " → bool" && Imports(fn.Pkg(), "github.com/jackc/pgx") && isCopySource(sig.Recv().Type()):
		return Connection, true
	}
	return "", false
}

// Imports reports whether a package imports a path, of any major version.
func Imports(pkg *types.Package, path string) bool {
	return slices.ContainsFunc(pkg.Imports(), func(p *types.Package) bool { return withoutVersion(p.Path()) == path })
}

// isCopySource reports whether a type has the methods of pgx.CopyFromSource, and is
// not a kind of pgx.Rows, which has them too.
func isCopySource(t types.Type) bool {
	return HasMethod(t, "Next") && HasMethod(t, "Values") && HasMethod(t, "Err") && !HasMethod(t, "Scan")
}
