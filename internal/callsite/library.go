package callsite

import "strings"

// dependency reports whether a file is of a module that the program depends on: it
// is in the module cache, where a version is part of its path, or it was vendored.
func dependency(file string) bool {
	return strings.Contains(file, "@v") || strings.Contains(file, "/vendor/")
}

// libraries are packages between an application and its connection, or its slow
// call, wherever they were compiled from. Their tests and examples are applications.
var libraries = []string{
	"runtime", "reflect", "sync", "slices", "sort", "net/http", "golang.org/x/net/http2", "database/sql", "github.com/jackc/pgx/v5", "github.com/jackc/puddle/v2",
	"github.com/lib/pq", "github.com/jmoiron/sqlx", "gorm.io/gorm", "gorm.io/driver/postgres",
	"github.com/uptrace/bun", "entgo.io/ent", "google.golang.org/grpc",
	module, module + "/internal/callsite", module + "/internal/framekey", module + "/session", module + "/queuepool",
	module + "/pgxhold", module + "/sqlhold", module + "/httphold", module + "/grpchold", module + "/riverhold",
}

// library reports whether a function, by its full name and its file, is one that an
// application's line is looked for above: also what protoc generates, in whosever module,
// for one looks for who calls it.
func library(function, file string, skip []string) bool {
	return within(function, skip) || strings.HasSuffix(file, ".pb.go") || !strings.HasSuffix(file, "_test.go") && within(function, libraries)
}

// plain takes away what stacks add to a name: db.(*Table[...]).Get is db.Table.Get.
func plain(name string) string {
	if !strings.ContainsAny(name, "([") {
		return name
	}
	return additions.Replace(name)
}

var additions = strings.NewReplacer("(*", "", ")", "", "[...]", "")

// within reports whether a function, by its full name, belongs to one of the
// packages, types or functions.
func within(function string, names []string) bool {
	function = plain(function)
	for _, name := range names {
		rest, ok := strings.CutPrefix(function, plain(name))
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '/' && name != module) {
			return true
		}
	}
	return false
}

// module is this one's path. What is below it is an application unless it is listed,
// as its commands are; what is below another library belongs to that.
const module = "github.com/pghold/pghold"
