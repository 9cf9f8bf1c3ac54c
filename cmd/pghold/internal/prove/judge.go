package prove

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

const (
	// failedShare is the share of requests that may fail for reasons of their own before
	// figures do not count.
	failedShare = 0.01
	// saturated is the share of the processors' time from which on nothing is left of it, and
	// disturbed the share of the median latency from which on it shows that requests were sent
	// late then: others may use up processors, and be in nobody's way.
	saturated = 0.95
	disturbed = 0.01
	// disturbsNothing is how late requests may be sent whatever their latency is: routes that
	// answer in milliseconds are attacked on machines that others use, too.
	disturbsNothing = 10 * time.Millisecond
	// waitedLong is how long a request must have waited for its failure to count as one that
	// comes from a lack of connections.
	waitedLong = time.Second
)

// circumstances decide, beside the service itself, whether the figures of a measurement count.
type circumstances struct {
	wired     bool // a connection has come over the tap, or sessions were sampled
	foreign   int  // requests that failed for reasons of their own
	text      string
	drained   drained       // whether all transactions had ended when the next route's turn came
	limit     time.Duration // for how long that was waited for
	processor float64       // share of the time in which the processors were busy
}

// notValid says in a sentence why the figures of a measurement do not count, or nothing.
func (c circumstances) notValid(r *experiment.RouteResult) string {
	late := attack.Late(&r.SentLate, r.Latency.P50, disturbsNothing)
	switch {
	case !c.wired:
		return "No connection came over the tap: the service did not use the database that it was given in DATABASE_URL and PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE. " +
			"If it reads its address elsewhere, give it with --env 'NAME=postgresql://{user}:{password}@{host}:{port}/{database}'."
	// However late a request was sent: that has not made it fail.
	case float64(c.foreign) > failedShare*float64(r.Requests):
		return fmt.Sprintf("%d of %d requests failed, and as far as can be told not for the lack of a connection; most often: %s.", c.foreign, r.Requests, c.text)
	case late != "":
		return late + ", because this machine could not keep up: lower --rate, or let it do nothing else."
	case c.processor > saturated && r.SentLate.P99 > max(disturbsNothing, time.Duration(disturbed*float64(r.Latency.P50))):
		return fmt.Sprintf("This machine's processors were busy for %s of the time: what was measured is their limit. Lower --rate.", words.Ratio(c.processor))
	case !c.drained.all && c.drained.stuck == 0:
		return "The service was still at work " + words.Plain(c.limit) + " after the last client had its answer or had left: what it does then would count for the next route."
	}
	return ""
}

// refused is how many requests a pool has sent away at once, where it does: of those that were
// sent while all connections were in transactions hardly one was not. A service whose pool lets
// requests wait answers some of them, whatever else it does.
func (s *seen) refused(loads []*attack.Attack) (n int) {
	most, openAt := s.mostOpen(), s.openAt()
	if most < 2 {
		return 0
	}
	all, refused := 0, 0
	for _, l := range loads {
		began := l.Began()
		for _, r := range l.Requests() {
			failed := failedAtOnce(r)
			if openAt(began.Add(r.Sent)) >= most {
				all++
				if failed {
					refused++
				}
			}
			if failed && openAt(began.Add(r.Sent+r.Latency)) >= most-1 {
				n++
			}
		}
	}
	if refused == 0 || float64(refused) < hardlyOneNot*float64(all) {
		return 0
	}
	return n
}

// hardlyOneNot is the share of requests that a pool refuses which lets nobody wait.
const hardlyOneNot = 0.9

func failedAtOnce(r experiment.Request) bool {
	return (r.Outcome == experiment.Failed || r.Outcome == experiment.PoolTimeout) && r.Latency < waitedLong
}

// failures are how many requests failed with an error that is not for a lack of connections,
// as far as that can be told, and the commonest text of all errors. For a lack of connections
// failed those that failed when as many transactions were open as ever were, and waited for a
// while or were refused: a service's pool timeout looks like that, whatever its status is.
func (s *seen) failures(loads []*attack.Attack, errors map[string]int, refuses bool) (foreign int, text string) {
	most := s.mostOpen()
	openAt := s.openAt()
	for _, l := range loads {
		began := l.Began()
		for _, req := range l.Requests() {
			switch {
			case req.Outcome != experiment.Failed:
			case (refuses || req.Latency >= waitedLong) && most > 1 && openAt(began.Add(req.Sent+req.Latency)) >= most-1:
			default:
				foreign++
			}
		}
	}
	n := 0
	for t, count := range errors {
		if count > n || count == n && t < text {
			text, n = t, count
		}
	}
	return foreign, text
}
