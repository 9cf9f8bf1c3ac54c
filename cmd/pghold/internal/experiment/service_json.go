package experiment

import "encoding/json"

// The types below are those of a result in which nobody but the lab's app knows a part: of a
// service it is left out, for a zero would look measured.
type (
	serviceResult struct {
		*Result
		Settings serviceSettings `json:"settings"`
		Routes   []serviceRoute  `json:"routes"`
	}
	serviceSettings struct {
		of Settings
		by *Service
	}
	serviceRoute struct {
		plainRoute
		Elapsed      seconds          `json:"elapsed_s"`
		DrainedAfter seconds          `json:"drained_after_s"`
		Repeats      []serviceFigures `json:"repeats,omitempty"`
		// These are nil where all routes were seen at once.
		Holds       *serviceHolds `json:"holds,omitempty"`
		Connections *Connections  `json:"connections,omitempty"`
		// And these always.
		Time       *TimeSplit  `json:"time_s,omitempty"`
		PerRequest *PerRequest `json:"per_request,omitempty"`
	}
	serviceFigures struct {
		plainFigures
		Elapsed     seconds       `json:"elapsed_s"`
		Holds       *serviceHolds `json:"holds,omitempty"`
		Connections *Connections  `json:"connections,omitempty"`
		Time        *TimeSplit    `json:"time_s,omitempty"`
		PerRequest  *PerRequest   `json:"per_request,omitempty"`
	}
	serviceHolds struct {
		plainHolds
		SilentInTransaction seconds    `json:"silent_in_transaction_s"`
		Wait                *Quantiles `json:"wait_s,omitempty"`
		MaxWaiting          *int       `json:"max_waiting,omitempty"`
	}
)

func newServiceResult(r *Result) serviceResult {
	doc := serviceResult{r, serviceSettings{r.Settings, r.Service}, make([]serviceRoute, len(r.Routes))}
	for i := range r.Routes {
		doc.Routes[i] = newServiceRoute(&r.Routes[i])
	}
	return doc
}

func newServiceRoute(rr *RouteResult) serviceRoute {
	j := serviceRoute{plainRoute: plainRoute(*rr), Elapsed: seconds(rr.Elapsed), DrainedAfter: seconds(rr.DrainedAfter)}
	for _, f := range rr.Repeats {
		j.Repeats = append(j.Repeats, serviceFigures{plainFigures: plainFigures(f), Elapsed: seconds(f.Elapsed)})
	}
	if rr.Wire == nil {
		return j
	}
	holds := func(h Holds) *serviceHolds {
		return &serviceHolds{plainHolds: plainHolds(h), SilentInTransaction: seconds(h.SilentInTransaction)}
	}
	j.Holds, j.Connections = holds(rr.Holds), &rr.Connections
	for i := range rr.Repeats {
		j.Repeats[i].Holds, j.Repeats[i].Connections = holds(rr.Repeats[i].Holds), &rr.Repeats[i].Connections
	}
	return j
}

// MarshalJSON writes the settings of an attack on a service.
func (s serviceSettings) MarshalJSON() ([]byte, error) {
	return s.of.marshal(func(t Setting) bool { return s.by.Has(t) || t.key == "postgres" })
}

// Has reports whether a setting is one of an attack on a service. The others are the lab's app's.
func (s *Service) Has(t Setting) bool {
	switch t.Flag {
	case "rate", "duration", "client-timeout":
		return true
	case "slow", "slow-shape":
		return s.Upstream
	}
	return false
}

// routeJSONOf is a route of a result as JSON.
func routeJSONOf(r *Result, rr *RouteResult) ([]byte, error) {
	if r.Service != nil {
		return json.Marshal(newServiceRoute(rr))
	}
	return json.Marshal(rr)
}
