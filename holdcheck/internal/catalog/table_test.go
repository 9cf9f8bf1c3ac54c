package catalog

import (
	"fmt"
	"testing"
)

func TestNewTable_RefusesTwoRowsForOneName(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "holdcheck: two rows for p.B"; got != want {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	newTable(map[string]bool{"p.{A,B}": true, "p.B": true})
}

func TestTable_Find(t *testing.T) {
	table := newTable(map[string]string{
		"(*example.com/a.T).{M,N}": "any version",
		"example.com/a/v3.F":       "v3",
		"example.com/a.F":          "other versions",
		"example.com/{b,c}/d.F":    "b or c",
		"example.com/star.*":       "star",
		"example.com/star.New*":    "longer star",
	})
	for name, want := range map[string]string{
		"(*example.com/a.T).M":      "any version",
		"(*example.com/a/v2.T).N":   "any version",
		"(*example.com/a/v10.T).N":  "any version",
		"(example.com/a.T).M":       "",
		"(*example.com/a.T).MN":     "",
		"(*example.com/a/vx.T).M":   "",
		"example.com/a/v3.F":        "v3",
		"example.com/a/v4.F":        "other versions",
		"example.com/c/d.F":         "b or c",
		"example.com/c/v2/d.F":      "b or c",
		"example.com/e/d.F":         "",
		"example.com/star.Run":      "star",
		"example.com/star/v2.Run":   "star",
		"example.com/star.NewThing": "longer star",
		"example.com/starry.Run":    "",
	} {
		if got, _ := table.find(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestWithoutVersion(t *testing.T) {
	for path, want := range map[string]string{
		"github.com/jackc/pgx/v5":                       "github.com/jackc/pgx",
		"github.com/jackc/pgx/v5/pgxpool":               "github.com/jackc/pgx/pgxpool",
		"(*github.com/jackc/pgx/v5/pgxpool.Pool).Begin": "(*github.com/jackc/pgx/pgxpool.Pool).Begin",
		"*github.com/a/v2/b/v3.T":                       "*github.com/a/b.T",
		"github.com/a/v2ray":                            "github.com/a/v2ray",
		"github.com/a/view/v1":                          "github.com/a/view",
		"gopkg.in/gomail.v2":                            "gopkg.in/gomail.v2",
		"github.com/a/v":                                "github.com/a/v",
	} {
		if got := withoutVersion(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
