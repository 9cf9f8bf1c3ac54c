// Package calls has chains from a transaction to a slow call.
package calls

import (
	"context"
	"database/sql"
	"net/http"
)

const u = "https://example.com/"

func seven(a string) error { return six(a) }
func six(a string) error   { return five(a) }
func five(a string) error  { return four(a) }
func four(a string) error  { return three(a) }
func three(a string) error { return two(a) }
func two(a string) error   { return one(a) }
func one(a string) error {
	_, err := http.Get(a)
	return err
}

func deep(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := seven(u); err != nil { // want "high http .*http\\.Get"
		return err
	}
	return tx.Commit()
}

func okDeep(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return seven(u)
}

type node struct {
	link     string
	children []*node
}

func (n *node) fetchAll() {
	http.Get(n.link)
	for _, c := range n.children {
		c.fetchAll()
	}
}

func (n *node) count() int {
	sum := 1
	for _, c := range n.children {
		sum += c.count()
	}
	return sum
}

func recursion(db *sql.DB, n *node) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	n.fetchAll() // want "high http"
	return tx.Commit()
}

func okRecursion(db *sql.DB, n *node) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if n.count() > 1 {
		return nil
	}
	return tx.Commit()
}

func even(n int) bool {
	if n == 0 {
		http.Get(u)
		return true
	}
	return odd(n - 1)
}

func odd(n int) bool { return n != 0 && even(n-1) }

func mutualRecursion(db *sql.DB) bool {
	tx, err := db.Begin()
	if err != nil {
		return false
	}
	defer tx.Rollback()
	return odd(7) // want "high http"
}

// store saves an item and, where remote is set, tells the index about it.
func save(tx *sql.Tx, item string, remote bool) error {
	if _, err := tx.Exec("insert", item); err != nil {
		return err
	}
	if remote {
		_, err := http.Post(u, "text/plain", nil)
		return err
	}
	return nil
}

func constantTrue(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := save(tx, "a", true); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

func okConstantFalse(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := save(tx, "a", false); err != nil {
		return err
	}
	return tx.Commit()
}

func unknownConstant(db *sql.DB, remote bool) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := save(tx, "a", remote); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

type mode int

const (
	local mode = iota
	everywhere
)

func publish(m mode) error {
	switch m {
	case local:
		return nil
	default:
		return one(u)
	}
}

func okConstantMode(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := publish(local); err != nil {
		return err
	}
	return tx.Commit()
}

func constantMode(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := publish(everywhere); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

// okNilArgument hands over no callback, so the branch with the request is dead.
func okNilArgument(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := notify(nil); err != nil {
		return err
	}
	return tx.Commit()
}

func someArgument(db *sql.DB, c *http.Client) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := notify(c); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

func notify(c *http.Client) error {
	if c == nil {
		return nil
	}
	_, err := c.Get(u)
	return err
}

type client struct{ base string }

func (c *client) lookup(names ...string) error {
	for _, n := range names {
		if _, err := http.Get(c.base + n); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) link(names ...string) string { return c.base + names[0] }

type service struct {
	*client
	db *sql.DB
}

func (s *service) promoted(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.lookup("a", "b"); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

func (s *service) okPromoted(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "insert", s.link("a")); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *service) inArgument(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "insert", s.lookup("a")); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

// okEvaluatedBefore evaluates its argument before it begins.
func (s *service) okEvaluatedBefore(ctx context.Context) error {
	found := s.lookup("a")
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "insert", found); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *service) methodExpression(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	find := (*client).lookup
	if err := find(s.client, "a"); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

// set is generic.
type set[T any] struct{ load func() []T }

func (s *set[T]) all() []T { return s.load() }

func first[T any](get func() []T) T { return get()[0] }

func genericFunction(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	first(func() []string { return []string{head(u)} }) // want "high http"
	return tx.Commit()
}

func okGenericFunction(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	first(func() []string { return []string{u} })
	return tx.Commit()
}

func head(a string) string {
	r, err := http.Head(a)
	if err != nil {
		return ""
	}
	return r.Status
}

func genericType(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	s := &set[string]{load: func() []string { return []string{head(u)} }}
	s.all() // want "high http"
	return tx.Commit()
}

func inCondition(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := 0; i < 3 && head(u) == ""; i++ { // want "high http"
		tx.Exec("insert", i)
	}
	return tx.Commit()
}

func inLiteral(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	item := map[string]string{
		"a": "b",
		"c": head(u), // want "high http"
	}
	if _, err := tx.Exec("insert", item["a"]); err != nil {
		return err
	}
	return tx.Commit()
}
