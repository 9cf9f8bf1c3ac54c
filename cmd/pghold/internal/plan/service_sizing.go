package plan

import (
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// sizing says how many connections meet the targets, and whether there is room for them.
func (s Service) sizing(q Question, runs []*experiment.RouteResult, targets []Target, byDefault bool, db Database) (experiment.Conclusion, error) {
	c := experiment.Conclusion{About: "connections", Cases: []string{q.Name}, Figures: map[string]float64{}}
	aim := namesOf(targets)
	if byDefault {
		aim += " (--target names another)"
	}
	n, err := s.needs(targets, true)
	if err != nil {
		return c, err
	}
	if n.number == 0 {
		return s.notByConnections(c, aim, n.limit, targets, db)
	}
	n.put(c.Figures, "connections")
	all, surging := s.places(n.number, db.Surge)
	c.Figures["total_connections"], c.Figures["surging_connections"] = float64(all), float64(surging)
	text := fmt.Sprintf("For %s: ", aim)
	switch {
	case s.Lambdas > 0:
		text += words.Count(n.number, "lambda") + n.between()
	case s.processes() == 1:
		text += words.Count(n.number, "connection") + n.between()
	default:
		text += fmt.Sprintf("%d%s in each %s, %d in all", n.number, n.between(), s.process(), all)
	}
	if n.threads {
		text += ", with as many threads"
	}
	if surging > all {
		text += fmt.Sprintf(", %d during a rolling deploy", surging)
	}
	if room := db.room(); room > 0 {
		c.Figures["room_connections"] = float64(room)
		seen := surging
		text += "; "
		if b := q.Settings.PgBouncer; b > 0 {
			seen = b
			text += fmt.Sprintf("the server sees PgBouncer's %d, and ", b)
		}
		text += db.has()
		if c.Unreached = seen > room; c.Unreached {
			text += ": they do not fit"
		}
	}
	text += "."
	have := s.have()
	if met := allMet(targets, meanOf(runs)); met && !s.Unsized {
		what := fmt.Sprintf("The %d that there are", have)
		if s.processes() > 1 && s.Lambdas == 0 {
			what = fmt.Sprintf("The %d that each has", have)
		}
		if have == 1 {
			what = strings.Replace(what, "The 1", "The one", 1)
		}
		text += " " + what + " " + plural(have, "is", "are") + " enough."
	}
	c.Sentence = text
	return c, nil
}

// notByConnections says what forbids the targets, and whether a larger PgBouncer is all
// that it takes.
func (s Service) notByConnections(c experiment.Conclusion, aim, limit string, targets []Target, db Database) (experiment.Conclusion, error) {
	c.Unreached = true
	c.Sentence = fmt.Sprintf("No number of connections reaches %s: %s.", aim, limit)
	if s.Settings.PgBouncer == 0 {
		return c, nil
	}
	n, err := s.needsOfPgBouncer(targets, true)
	if err != nil || n.number == 0 {
		return c, err
	}
	n.put(c.Figures, "pgbouncer_connections")
	c.Sentence = fmt.Sprintf("For %s: PgBouncer needs %s%s in place of %d", aim, words.Count(n.number, "server connection"), n.between(), s.Settings.PgBouncer)
	c.Unreached = false
	if room := db.room(); room > 0 {
		c.Figures["room_connections"] = float64(room)
		c.Sentence += "; " + db.has()
		if c.Unreached = n.number > room; c.Unreached {
			c.Sentence += ": they do not fit"
		}
	}
	c.Sentence += "."
	return c, nil
}

// between says of which numbers it may be another.
func (n needed) between() string {
	if n.low == n.high {
		return ""
	}
	return fmt.Sprintf(" (%d to %d)", n.low, n.high)
}

func (n needed) put(figures map[string]float64, name string) {
	estimate{float64(n.number), float64(n.low), float64(n.high)}.put(figures, name, "")
}

// room is how many connections the server leaves; 0 where nobody asked.
func (db Database) room() int {
	if db.MaxConnections == 0 {
		return 0
	}
	return max(1, db.MaxConnections-reserved)
}

func (db Database) has() string {
	return fmt.Sprintf("max_connections %d has room for %d", db.MaxConnections, db.room())
}

// room says whether the database has room for what the pools may open now.
func (s Service) room(q Question, db Database) experiment.Conclusion {
	all, surging := s.places(s.have(), db.Surge)
	seen := surging
	c := experiment.Conclusion{About: "room", Cases: []string{q.Name}, Figures: map[string]float64{
		"connections": float64(s.have()), "total_connections": float64(all), "surging_connections": float64(surging), "room_connections": float64(db.room()),
	}}
	what := "The pools"
	if s.Lambdas > 0 {
		what = "The lambdas"
	} else if s.processes() == 1 {
		what = "The pool"
	}
	text := fmt.Sprintf("%s may open %s", what, words.Count(all, "connection"))
	if surging > all {
		text += fmt.Sprintf(", %d during a rolling deploy", surging)
	}
	if b := q.Settings.PgBouncer; b > 0 {
		seen = b
		text += fmt.Sprintf("; the server sees the %d of PgBouncer", b)
	}
	c.Unreached = seen > db.room()
	if c.Unreached {
		text += ": they do not fit, " + db.has()
	} else {
		text += ": they fit, " + db.has()
	}
	c.Sentence = text + "."
	return c
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
