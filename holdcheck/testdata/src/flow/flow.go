// Package flow has the paths between begin and commit.
package flow

import (
	"database/sql"
	"errors"
	"net/http"
)

const u = "https://example.com/"

func errorPath(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("delete from a"); err != nil {
		http.Post(u, "text/plain", nil) // want "high http"
		return err
	}
	return tx.Commit()
}

func okErrorPathRolledBack(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("delete from a"); err != nil {
		tx.Rollback()
		http.Post(u, "text/plain", nil)
		return err
	}
	return tx.Commit()
}

func commitInOneBranch(db *sql.DB, now bool) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if now {
		tx.Commit()
	}
	http.Get(u) // want "high http"
	return nil
}

func okCommitInEachBranch(db *sql.DB, keep bool) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if keep {
		err = tx.Commit()
	} else {
		err = tx.Rollback()
	}
	http.Get(u)
	return err
}

func okBranchThatReturns(db *sql.DB, dry bool) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if dry {
		return nil
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func okOnlyOneBranchBegins(db *sql.DB, write bool) error {
	if write {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		return tx.Commit()
	}
	_, err := http.Get(u)
	return err
}

func perItem(db *sql.DB, items []string) error {
	for _, item := range items {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		tx.Exec("insert", item)
		http.Get(item) // want "high http"
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func okPerItem(db *sql.DB, items []string) error {
	for _, item := range items {
		http.Head(item)
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		tx.Exec("insert", item)
		if err := tx.Commit(); err != nil {
			return err
		}
		http.Get(item)
	}
	return nil
}

// leakByContinue reaches the top of the loop with its transaction open.
func leakByContinue(db *sql.DB, items []string) error {
	for _, item := range items {
		http.Get(item) // want "high http"
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		if item == "" {
			continue
		}
		tx.Commit()
	}
	return nil
}

func okContinueRolledBack(db *sql.DB, items []string) error {
	for _, item := range items {
		http.Get(item)
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		if item == "" {
			tx.Rollback()
			continue
		}
		tx.Commit()
	}
	return nil
}

// deferInLoop releases nothing before the function returns.
func deferInLoop(db *sql.DB, items []string) error {
	for _, item := range items {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		tx.Exec("insert", item)
	}
	http.Get(u) // want "high http"
	return nil
}

func okDeferInClosureInLoop(db *sql.DB, items []string) error {
	for _, item := range items {
		if err := func() error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			tx.Exec("insert", item)
			return tx.Commit()
		}(); err != nil {
			return err
		}
		http.Get(item)
	}
	return nil
}

func labelled(db *sql.DB, items [][]string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
outer:
	for _, row := range items {
		for _, item := range row {
			if item == "stop" {
				break outer
			}
			tx.Exec("insert", item)
		}
	}
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okLabelled(db *sql.DB, items [][]string) error {
	var found string
outer:
	for _, row := range items {
		for _, item := range row {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			if item == "stop" {
				tx.Rollback()
				found = item
				break outer
			}
			tx.Commit()
		}
	}
	_, err := http.Get(found)
	return err
}

func inSwitch(db *sql.DB, kind string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	switch kind {
	case "mail":
		tx.Exec("insert into mails")
	case "sms":
		http.Get(u) // want "high http"
	default:
		return errors.New("unknown")
	}
	return tx.Commit()
}

func okInSwitch(db *sql.DB, kind string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	switch kind {
	case "mail":
		if err := tx.Commit(); err != nil {
			return err
		}
		http.Get(u)
	case "sms":
		tx.Rollback()
		http.Head(u)
	default:
		return tx.Rollback()
	}
	return nil
}

func fallThrough(db *sql.DB, n int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	switch n {
	case 1:
		tx.Exec("delete from a")
		fallthrough
	case 2:
		http.Get(u) // want "high http"
	}
	return tx.Commit()
}

func jump(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if _, err = tx.Exec("delete from a"); err != nil {
		goto fail
	}
	return tx.Commit()
fail:
	http.Get(u) // want "high http"
	tx.Rollback()
	return err
}

func okJump(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		goto fail
	}
	if err = tx.Commit(); err != nil {
		goto fail
	}
	return nil
fail:
	http.Get(u)
	return err
}

func panics(db *sql.DB, bad bool) {
	tx, err := db.Begin()
	if err != nil {
		panic(err)
	}
	defer reportAndRollBack(tx) // want "high http"
	if bad {
		panic("bad")
	}
	tx.Commit()
}

func reportAndRollBack(tx *sql.Tx) {
	if v := recover(); v != nil {
		http.Post(u, "text/plain", nil)
		tx.Rollback()
		panic(v)
	}
}

func okPanics(db *sql.DB, bad bool) {
	tx, err := db.Begin()
	if err != nil {
		panic(err)
	}
	defer func() {
		if v := recover(); v != nil {
			tx.Rollback()
			http.Post(u, "text/plain", nil)
			panic(v)
		}
	}()
	if bad {
		panic("bad")
	}
	tx.Commit()
}

func okUnreachable(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		panic(err)
	}
	_, err = http.Get(u)
	return err
}

func retryLoop(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for try := 0; try < 3; try++ {
		if _, err = http.Get(u); err == nil { // want "high http"
			break
		}
	}
	return tx.Commit()
}

// okRetryLoop tries the transaction again after asking elsewhere.
func okRetryLoop(db *sql.DB) error {
	for try := 0; try < 3; try++ {
		tx, err := db.Begin()
		if err != nil {
			http.Get(u)
			continue
		}
		if _, err := tx.Exec("delete from a"); err != nil {
			tx.Rollback()
			http.Head(u)
			continue
		}
		if err := tx.Commit(); err == nil {
			break
		}
		http.Post(u, "text/plain", nil)
	}
	return nil
}

func twoTransactions(db *sql.DB) error {
	first, err := db.Begin()
	if err != nil {
		return err
	}
	if err := first.Commit(); err != nil {
		return err
	}
	second, err := db.Begin()
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return second.Commit()
}

func okBetweenTwo(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	http.Get(u)
	tx, err = db.Begin()
	if err != nil {
		return err
	}
	return tx.Commit()
}

func namedResult(db *sql.DB) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
			return
		}
		err = tx.Commit()
	}()
	if _, err = tx.Exec("delete from a"); err != nil {
		return err
	}
	_, err = http.Get(u) // want "high http"
	return err
}

func okNamedResult(db *sql.DB) (err error) {
	if err = func() (err error) {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				tx.Rollback()
				return
			}
			err = tx.Commit()
		}()
		_, err = tx.Exec("delete from a")
		return err
	}(); err != nil {
		return err
	}
	_, err = http.Get(u)
	return err
}

func shortCircuit(db *sql.DB) bool {
	tx, err := db.Begin()
	if err != nil {
		return false
	}
	defer tx.Rollback()
	return fast() && reachable(u) // want "high http"
}

func okShortCircuit(db *sql.DB) bool {
	return reachable(u) && stored(db)
}

func fast() bool { return true }

func reachable(a string) bool {
	_, err := http.Head(a)
	return err == nil
}

func stored(db *sql.DB) bool {
	tx, err := db.Begin()
	if err != nil {
		return false
	}
	return tx.Commit() == nil
}
