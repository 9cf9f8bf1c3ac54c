package load

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// listing is what the go command says about packages.
type listing struct {
	sizes    types.Sizes
	packages []*listedPackage // each after the packages that it imports
	errors   []string         // about the repository's own packages
	newerGo  string           // a sentence, where the go command is newer than we are
}

// listedPackage is a package that will be read, and then has been.
type listedPackage struct {
	id      string
	path    string
	version string   // of the language: go1.22; empty for the newest
	files   []string // absolute
	imports map[string]*listedPackage
	missing map[string]string // imports that are not there, and why
	std     bool
	own     bool
	root    bool
	bodies  bool // a dependency whose bodies matter
	leads   bool // it imports something slow, or a package that does and is not the standard library's
	aside   bool // a test variant that could not replace its package: its errors may be ours

	// Set by the reader.
	read    *Package
	skipped []string // functions that could not be parsed
	size    int      // of the files
	tainted bool     // declarations may have invalid types
	broken  bool     // it could not be parsed, or imports such a package
	errors  []string
	unread  []string
}

// goEnv is what we ask go env for.
type goEnv struct{ GOARCH, GOROOT, GOVERSION, GOMOD, GOWORK string }

// list asks the go command for the packages and all that they import.
func list(ctx context.Context, o Options, dir string) (*listing, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var env goEnv
	asked := make(chan error, 1)
	go func() {
		var err error
		env, err = askGoEnv(ctx, dir)
		asked <- err
	}()

	patterns := o.Patterns
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	// NeedTypesSizes, NeedCompiledGoFiles and NeedTypes would make the go command
	// compile what uses cgo.
	roots, err := packages.Load(&packages.Config{
		Context: ctx,
		Dir:     dir,
		Tests:   o.Tests,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedModule | packages.NeedForTest,
	}, patterns...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("the go command cannot list %s: %w", strings.Join(patterns, " "), goCommandError(err))
	}
	if err := <-asked; err != nil {
		return nil, err
	}

	l := &listing{sizes: types.SizesFor("gc", env.GOARCH)}
	if l.sizes == nil {
		return nil, fmt.Errorf("the size of types on GOARCH=%s is not known", env.GOARCH)
	}
	if goMinor(env.GOVERSION) > goMinor(runtime.Version()) {
		l.newerGo = fmt.Sprintf("the go command is %s, and pghold was built with %s: what is new in the language cannot be read; build pghold again, with the newer one",
			env.GOVERSION, runtime.Version())
	}
	b := &lister{listing: l, dir: dir, env: env, byID: map[string]*packages.Package{}, listed: map[string]*listedPackage{}}
	b.collect(roots)
	if !slices.ContainsFunc(l.packages, func(p *listedPackage) bool { return p.root && len(p.files) > 0 }) {
		return nil, b.nothing(patterns)
	}
	return l, nil
}

// nothing is the error where the patterns match no package.
func (b *lister) nothing(patterns []string) error {
	what := strings.Join(patterns, " ")
	if b.env.GOMOD == os.DevNull && b.env.GOWORK == "" && !slices.ContainsFunc(b.packages, func(p *listedPackage) bool { return p.std }) {
		return fmt.Errorf("%s is in no Go module: there is no go.mod there or above it; name a folder that is in one", b.dir)
	}
	if len(b.errors) == 0 {
		return fmt.Errorf("no packages with Go files match %s", what)
	}
	return fmt.Errorf("no packages with Go files match %s: %s", what, strings.Join(b.errors, "; "))
}

func askGoEnv(ctx context.Context, dir string) (env goEnv, err error) {
	cmd := exec.CommandContext(ctx, "go", "env", "-json", "GOARCH", "GOROOT", "GOVERSION", "GOMOD", "GOWORK")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &env)
	}
	if err != nil {
		return env, fmt.Errorf("go env: %w", cmp.Or(firstError(stderr.String()), err))
	}
	return env, nil
}

func firstError(text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return errors.New(text)
}

// goCommandError is what the go command wrote, where that is known. Package packages
// puts its own words and ours around it.
func goCommandError(err error) error {
	if _, wrote, found := strings.Cut(err.Error(), "stderr: "); found && strings.TrimSpace(wrote) != "" {
		return errors.New(strings.TrimSpace(wrote))
	}
	return err
}

// goMinor is 26 for go1.26.8.
func goMinor(version string) int {
	rest, found := strings.CutPrefix(version, "go1.")
	if !found {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	minor, _ := strconv.Atoi(rest[:end])
	return minor
}

// lister makes a listing of what package packages says.
type lister struct {
	*listing
	dir    string
	env    goEnv
	byID   map[string]*packages.Package
	listed map[string]*listedPackage // by ID, of the package that stands for it
	stands map[string]string         // test variants: the ID that stands for an ID
}

// collect fills the listing.
func (b *lister) collect(roots []*packages.Package) {
	packages.Visit(roots, nil, func(p *packages.Package) { b.byID[p.ID] = p })
	isRoot := map[string]bool{}
	for _, p := range roots {
		isRoot[p.ID] = true
	}
	b.replaceVariants(roots)

	for _, id := range slices.Sorted(maps.Keys(b.byID)) {
		if b.stand(id) == id {
			b.visit(id)
		}
	}
	for id := range isRoot {
		if p := b.listed[b.stand(id)]; p != nil {
			p.root, p.own = true, true
		}
	}
	// A package that is also there with its tests has its findings there.
	for _, p := range b.packages {
		if p.aside {
			if plain := b.listed[b.byID[p.id].PkgPath]; plain != nil && plain != p {
				plain.root = false
			}
		}
	}
	for _, p := range b.packages {
		p.bodies = needsBodies(p)
		if p.own {
			b.note(b.byID[p.id])
		}
	}
	for _, p := range roots {
		if !there(p) {
			b.note(p)
		}
	}
	slices.Sort(b.errors)
	b.errors = slices.Compact(b.errors)
}

// stand is the ID of the package that stands for another: for a package the one
// with its tests.
func (b *lister) stand(id string) string {
	if other, replaced := b.stands[id]; replaced {
		return other
	}
	return id
}

// testMain reports whether p is the main package that the go command writes to run
// tests. Its file is in the build cache, with a name that no package's file has.
func testMain(p *packages.Package) bool {
	return strings.HasSuffix(p.ID, ".test") && p.Name == "main" &&
		!slices.ContainsFunc(p.GoFiles, func(f string) bool {
			return strings.HasSuffix(f, ".go") && filepath.Base(f) != "_testmain.go"
		})
}

// replaceVariants decides about packages as they are compiled for a test: one with
// test files in it, "p [p.test]", replaces p for everyone, and one that is only
// compiled again since something that it imports has test files, "q [p.test]", is
// replaced by q. So there is one of each, and all types are the same.
//
// Two packages whose tests import each other would be a cycle then. The second of
// them stays beside its package, and nobody imports it but its own external tests.
func (b *lister) replaceVariants(roots []*packages.Package) {
	b.stands = map[string]string{}
	var withTests []*packages.Package
	for _, id := range slices.Sorted(maps.Keys(b.byID)) {
		p := b.byID[id]
		switch {
		case testMain(p):
			b.stands[id] = ""
		case p.ForTest == "" || p.PkgPath == p.ForTest+"_test":
		case p.PkgPath == p.ForTest:
			withTests = append(withTests, p)
		case b.byID[p.PkgPath] != nil:
			b.stands[id] = p.PkgPath
		}
	}
	for _, p := range withTests {
		plain := b.byID[p.PkgPath]
		if plain == nil {
			continue // only the tests are there
		}
		b.stands[plain.ID] = p.ID
		if b.reaches(p, p.ID) {
			delete(b.stands, plain.ID)
		}
	}
}

// reaches reports whether a package imports, however indirectly, the one with the ID.
func (b *lister) reaches(from *packages.Package, id string) bool {
	seen := map[string]bool{}
	var visit func(*packages.Package) bool
	visit = func(p *packages.Package) bool {
		for _, imported := range p.Imports {
			to := b.stand(imported.ID)
			if to == id {
				return true
			}
			if next := b.byID[to]; next != nil && !seen[to] {
				seen[to] = true
				if visit(next) {
					return true
				}
			}
		}
		return false
	}
	return visit(from)
}

// visit lists a package after those that it imports. It returns nil where there is
// none.
func (b *lister) visit(id string) *listedPackage {
	if l, listed := b.listed[id]; listed {
		return l // nil while it is being visited: a cycle
	}
	p := b.byID[id]
	b.listed[id] = nil
	if p == nil || testMain(p) || !there(p) {
		return nil
	}
	l := &listedPackage{
		id: id, path: p.PkgPath, files: p.GoFiles,
		imports: map[string]*listedPackage{}, missing: map[string]string{},
		std: b.std(p),
	}
	l.own = !l.std && b.own(p)
	l.aside = p.ForTest == p.PkgPath && b.byID[p.PkgPath] != nil && b.stand(p.PkgPath) != id
	if p.Module == nil && !l.std {
		// GOPATH mode names vendored packages by their folder. Tables do not.
		if i := strings.LastIndex(l.path, "/vendor/"); i >= 0 {
			l.path = l.path[i+len("/vendor/"):]
		}
	}
	if p.Module != nil {
		l.version = "go" + cmp.Or(p.Module.GoVersion, "1.16") // what the go command takes without a go line
		if goMinor(l.version) > goMinor(runtime.Version()) {
			l.version = "" // it has been said that we are too old
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.Imports)) {
		imported := p.Imports[path]
		to := b.stand(imported.ID)
		// The external test of a package whose variant stands aside imports that.
		if p.ForTest != "" && p.PkgPath == p.ForTest+"_test" && imported.PkgPath == p.ForTest {
			to = imported.ID
			if other := b.stand(imported.PkgPath); other != imported.PkgPath {
				to = other
			}
			l.aside = l.aside || to == imported.ID && imported.ForTest != "" && b.stand(imported.PkgPath) != to
		}
		dep := b.visit(to)
		if dep != nil {
			l.imports[path] = dep
		} else {
			l.missing[path] = why(imported)
		}
		l.leads = l.leads || slowPackages[path] || !catalog.IsStd(path) && catalog.Curated(path) || dep != nil && !dep.std && dep.leads
	}
	b.listed[id] = l
	b.packages = append(b.packages, l)
	return l
}

// there reports whether a package has Go files. To one that is not there, package
// packages gives the file that imports it.
func there(p *packages.Package) bool { return p.Dir != "" && len(p.GoFiles) > 0 || p.ID == "unsafe" }

// why says why an imported package is not there.
func why(p *packages.Package) string {
	for _, e := range p.Errors {
		if e.Msg != "" {
			return strings.TrimSpace(e.Msg)
		}
	}
	if !there(p) {
		return "no Go files"
	}
	return "import cycle not allowed"
}

func (b *lister) std(p *packages.Package) bool {
	if p.Module != nil {
		return false
	}
	if len(p.GoFiles) == 0 {
		return p.ID == "unsafe"
	}
	_, inside := strings.CutPrefix(p.GoFiles[0], filepath.Join(b.env.GOROOT, "src")+string(filepath.Separator))
	return inside
}

// own reports whether a package is the repository's: of a main module, or of one
// that a local folder replaces. Without modules it is what is below dir.
func (b *lister) own(p *packages.Package) bool {
	if m := p.Module; m != nil {
		return m.Main || m.Replace != nil && m.Replace.Version == ""
	}
	for _, file := range p.GoFiles {
		rel, below := strings.CutPrefix(file, b.dir+string(filepath.Separator))
		if below && !strings.Contains("/"+filepath.ToSlash(rel), "/vendor/") {
			return true
		}
	}
	return false
}

// note keeps what the go command says about a package of the repository.
func (b *lister) note(p *packages.Package) {
	for _, e := range p.Errors {
		file, rest, _ := strings.Cut(e.Pos, ":")
		if e.Pos == "" || e.Pos == "-" {
			b.errors = append(b.errors, e.Msg)
			continue
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(b.dir, file)
		}
		if aboutEmbed(file, rest) {
			continue
		}
		b.errors = append(b.errors, FileName(b.dir, file)+":"+rest+": "+e.Msg)
	}
}

// aboutEmbed reports whether a line is a go:embed directive. Files that are not there
// yet to be embedded change nothing about the source.
func aboutEmbed(file, position string) bool {
	line, _, _ := strings.Cut(position, ":")
	number, err := strconv.Atoi(line)
	if err != nil {
		return false
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for text := range strings.Lines(string(source)) {
		if number--; number == 0 {
			return strings.HasPrefix(strings.TrimSpace(text), "//go:embed")
		}
	}
	return false
}

// slowPackages are those of the standard library with something slow in them, or
// with something that holds a connection.
var slowPackages = map[string]bool{
	"net": true, "net/http": true, "net/smtp": true, "net/rpc": true, "os/exec": true,
	"database/sql": true, "crypto/tls": true,
}

// needsBodies reports whether the functions of a dependency can lead to something
// slow. What the tables know is not read, nor is the standard library.
func needsBodies(p *listedPackage) bool {
	return p.leads && !p.own && !p.std && !catalog.Curated(p.path)
}
