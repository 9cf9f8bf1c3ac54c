package experiment

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
)

// Expectation is a condition on one figure of one route, as
// "async_session_sleep_outside_session.success_ratio>=0.999".
type Expectation struct {
	Route string // the name of a RouteResult
	// Field is where the figure is in the JSON of a RouteResult, as "latency_s.p99".
	Field string
	Op    string // one of Operators
	Value float64
}

// Operators are what an expectation compares with.
var Operators = []string{">=", "<=", "==", ">", "<"}

// ParseExpectation reads ROUTE.FIELD OP NUMBER. FIELD has to be a figure that a
// RouteResult can have; whether there is such a route is not known here. An error says
// which name is nearest.
func ParseExpectation(text string) (Expectation, error) {
	var e Expectation
	wrong := func(format string, args ...any) (Expectation, error) {
		return e, fmt.Errorf("%q is no expectation: "+format, append([]any{text}, args...)...)
	}
	at := strings.IndexAny(text, "<>=!~")
	if at < 0 {
		return wrong("it needs one of %s", strings.Join(Operators, " "))
	}
	end := at + strings.IndexFunc(text[at:]+"0", func(r rune) bool { return !strings.ContainsRune("<>=!~", r) })
	e.Op = text[at:end]
	if !slices.Contains(Operators, e.Op) {
		return wrong("%q is none of %s", e.Op, strings.Join(Operators, " "))
	}
	number := strings.TrimSpace(text[end:])
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return wrong("%q is no number", number)
	}
	e.Value = v
	e.Route, e.Field = routeAndField(strings.TrimSpace(text[:at]))
	switch {
	case e.Route == "" || e.Field == "":
		return wrong("it begins with ROUTE.FIELD, as %s.success_ratio", Routes[0].Name)
	case !isFigure(e.Field):
		return wrong("a route's result has no figure %q; did you mean %s?", e.Field, nearest(e.Field, figures()))
	}
	return e, nil
}

// routeAndField takes ROUTE.FIELD apart, at the first dot. A service's routes, which have
// a space, may have dots: then it is the first after which there is a figure.
func routeAndField(text string) (route, field string) {
	route, field, _ = strings.Cut(text, ".")
	if !strings.Contains(text, " ") {
		return route, field
	}
	for i := range text {
		if text[i] == '.' && isFigure(text[i+1:]) {
			return text[:i], text[i+1:]
		}
	}
	return route, field
}

func (e Expectation) String() string {
	return fmt.Sprintf("%s.%s %s %s", e.Route, e.Field, e.Op, strconv.FormatFloat(e.Value, 'g', -1, 64))
}

// AmongCases returns an error that says what is wrong where no run of these cases can
// have the figure.
func (e Expectation) AmongCases(cases []Case) error {
	var names []string
	for _, c := range cases {
		names = append(names, c.Name)
		if c.Name == e.Route && strings.HasPrefix(e.Field, "updates.") && !c.Route.Updates() {
			return fmt.Errorf("%s makes no updates: there is no %s to expect", e.Route, e.Field)
		}
	}
	return e.among(names)
}

// Among returns an error that says what is wrong where the result has not the route.
func (e Expectation) Among(r *Result) error {
	var names []string
	for i := range r.Routes {
		names = append(names, r.Routes[i].Name)
	}
	return e.among(names)
}

func (e Expectation) among(names []string) error {
	switch {
	case slices.Contains(names, e.Route):
		return nil
	case len(names) == 0:
		return fmt.Errorf("there is no route %q: there is none at all", e.Route)
	}
	return fmt.Errorf("there is no route %q here: did you mean %q?", e.Route, nearest(e.Route, names))
}

// Check reports whether the result meets the expectation, and what it has, in words.
// What it has not, or has of a route that is not valid, no expectation is met by.
func (e Expectation) Check(r *Result) (met bool, got string) {
	rr := r.Route(e.Route)
	if rr == nil {
		return false, "nothing: the route was not run"
	}
	if rr.NotValid != "" {
		return false, "nothing that counts: the route's run is not valid"
	}
	v, found := figureAt(r, rr, e.Field)
	if !found {
		return false, "nothing: the result has no such figure"
	}
	switch e.Op {
	case ">=":
		met = v >= e.Value
	case "<=":
		met = v <= e.Value
	case "==":
		met = v == e.Value
	case ">":
		met = v > e.Value
	case "<":
		met = v < e.Value
	}
	got = strconv.FormatFloat(v, 'g', -1, 64)
	if rr.Wire != nil && rr.Wire.PossiblyHeld && strings.Contains(e.Field, "silent") {
		return false, got + ", which says nothing: connections are possibly held outside of transactions"
	}
	if n := len(rr.Repeats); n > 1 {
		got += fmt.Sprintf(" in the median of %d runs", n)
	}
	return met, got
}

// figureAt returns a number of a route's JSON, where it has one there. A count of
// requests that is left out is zero.
func figureAt(r *Result, rr *RouteResult, path string) (float64, bool) {
	b, err := routeJSONOf(r, rr)
	if err != nil {
		return 0, false
	}
	if v, found := leaves(b)[path]; found {
		return v, true
	}
	return 0, slices.ContainsFunc([]string{"outcomes.", "status_codes.", "errors."}, func(of string) bool { return strings.HasPrefix(path, of) })
}

// figures are the paths of all numbers that a route's JSON can have. Those ending in
// ".*" are of objects with any keys.
var figures = sync.OnceValue(func() []string {
	var full RouteResult
	fill(reflect.ValueOf(&full).Elem())
	full.Settings, full.Repeats = nil, nil // not figures of the route
	full.Predicted = NewPrediction(&full, &full)
	full.Predicted.Updates = &Updates{}
	b, err := json.Marshal(full)
	if err != nil {
		panic("experiment: " + err.Error())
	}
	paths := slices.Sorted(maps.Keys(leaves(b)))
	for i, p := range paths {
		if of, _, is := strings.Cut(p, "."+anyKey); is {
			paths[i] = of + ".*"
		}
	}
	return paths
})

// anyKey stands for the keys of a map.
const anyKey = "\x00"

// fill sets everything in v to something else than zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Map:
		key, of := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		key.SetString(anyKey)
		fill(of)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, of)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.String:
		v.SetString("text")
	}
}

// leaves returns the numbers in the objects of a JSON document, by their paths.
func leaves(doc []byte) map[string]float64 {
	numbers := map[string]float64{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case float64:
			numbers[path] = v
		case map[string]any:
			for key, v := range v {
				walk(strings.TrimPrefix(path+"."+key, "."), v)
			}
		}
	}
	var v any
	if json.Unmarshal(doc, &v) == nil {
		walk("", v)
	}
	return numbers
}

func isFigure(path string) bool {
	for _, p := range figures() {
		of, any := strings.CutSuffix(p, "*")
		if path == p && !any || any && len(path) > len(of) && strings.HasPrefix(path, of) {
			return true
		}
	}
	return false
}

// nearest is the name that is most like another.
func nearest(name string, among []string) string {
	best, least := "", -1
	for _, n := range among {
		if d := levenshtein.ComputeDistance(name, n); least < 0 || d < least {
			best, least = n, d
		}
	}
	return best
}
