package pghold

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// hints are what a recorder has to say of how it is set up, each once: in the log, and for
// as long as it lives in its snapshots and on httphold's page.
type hints struct {
	mu   sync.Mutex
	told []hint // in the order in which they were
}

type hint struct {
	about, text string
	logged      bool // only: snapshots say it in their own way
}

// maxHints is how many a recorder tells: one of each kind, and of pools' names some.
const maxHints = 16

// tell tells a hint, unless one was told about the same.
func (r *Recorder) tell(about, text string) { r.tellHint(hint{about: about, text: text}) }

// log is tell for what snapshots say in another way, for as long as it is so.
func (r *Recorder) log(about, text string) { r.tellHint(hint{about, text, true}) }

func (r *Recorder) tellHint(told hint) {
	r.hints.mu.Lock()
	if len(r.hints.told) >= maxHints || slices.ContainsFunc(r.hints.told, func(h hint) bool { return h.about == told.about }) {
		r.hints.mu.Unlock()
		return
	}
	r.hints.told = append(r.hints.told, told)
	r.hints.mu.Unlock()
	text := told.text
	if r.cfg.OnHint != nil {
		r.cfg.OnHint(text)
		return
	}
	defaultLogger().Warn("pghold: " + text)
}

func (h *hints) all() (texts []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hint := range h.told {
		if !hint.logged {
			texts = append(texts, hint.text)
		}
	}
	return texts
}

// Lost tells that the release of a hold never came: its connection was given out again.
// Adapters call it, before they end the hold.
func (p *Pool) Lost() {
	p.recorder.tell("releases of "+p.name, fmt.Sprintf("connections of the pool %s are given out again whose release was not told, so that holds look longer than they are: "+
		"a tracer that is wrapped around pgxhold's does not pass pgxpool's TraceRelease on. Put them together with pgx's multitracer, or update that wrapper.", p.name))
}

const recipes = "https://github.com/pghold/pghold/blob/main/docs/recipes.md"

// noPattern is httphold.NoPattern.
const noPattern = "(no pattern)"

// hintsAfter is how many holds a part of the recorder has counted when it looks whether
// there is something to say, and again whenever these have doubled.
const hintsAfter = 64

// look looks at what the series of a part of the recorder have in common. The caller
// holds the lock.
func (s *shard) look(r *Recorder) {
	type line struct {
		pool string
		site Site
	}
	var holds, nameless, subtree uint64
	handlers := 0 // lines of a subtree
	routes, of := map[line]int{}, map[line]uint64{}
	for _, series := range s.series {
		n := series.Held.Count()
		if series.Intended || !series.named() {
			continue
		}
		holds += n
		if series.Route == noPattern {
			nameless += n
		}
		if strings.HasSuffix(series.Route, "/") && !strings.Contains(series.Route, " ") {
			subtree += n
			handlers++
		}
		if series.Site != (Site{}) {
			routes[line{series.Pool, series.Site}]++
			of[line{series.Pool, series.Site}] += n
		}
	}
	if holds > 0 && nameless == holds {
		go r.tell("routes", "every route is (no pattern): httphold.Middleware reads what net/http's ServeMux matched, and this service has another router, or a middleware between the two. "+
			recipes+" has the line or two that name routes with gin, echo, chi, fiber and others.")
	}
	if 2*subtree > holds && handlers >= 3 {
		go r.tell("subtree", "most connections are taken under a pattern that stands for a subtree, such as /: a mux within a mux, behind a middleware, has the patterns of the routes. "+
			"Put httphold.Middleware around that mux as well: Middleware(authenticate(Middleware(mux))).")
	}
	if len(routes) == 0 {
		return
	}
	var lines []line
	for l := range routes {
		lines = append(lines, l)
	}
	most := slices.MaxFunc(lines, func(a, b line) int { return cmp.Compare(of[a], of[b]) })
	if routes[most] >= 3 && 2*of[most] > holds {
		go r.tell("site of "+most.pool, fmt.Sprintf("most connections of the pool %s are taken at one line, %s (%s), for %d routes or more. Where that is a layer between handlers and the database, set Config.Skip to its package or type, so that holds have the line of who calls it; "+
			recipes+"#a-layer-of-your-own says how. Where it is a middleware that has a connection for each request, that is the place to look at.", most.pool, most.site, most.site.Func, routes[most]))
	}
}
