package experiment

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Setting is a row of the table of settings, which the tags of Settings are.
type Setting struct {
	Flag  string // --client-timeout is client-timeout
	Words string // how reports say it, with %s for the value; "" where they say it with others
	Off   string // and where it is off
	Of    string // what a number is of: thread

	key, byDefault, unit string
	speed, least, server string
	omit                 bool
	field                int
}

var table = func() (rows []Setting) {
	of := reflect.TypeFor[Settings]()
	for i := range of.NumField() {
		tag := of.Field(i).Tag
		_, omit := tag.Lookup("omit")
		rows = append(rows, Setting{
			Flag: tag.Get("name"), Words: tag.Get("words"), Off: tag.Get("off"), Of: tag.Get("of"),
			key: tag.Get("key"), byDefault: tag.Get("default"), unit: tag.Get("unit"),
			speed: tag.Get("speed"), least: tag.Get("least"), server: tag.Get("server"), omit: omit, field: i,
		})
		if rows[i].Flag == "" {
			rows[i].Flag = dashed(of.Field(i).Name)
		}
	}
	return rows
}()

// dashed is a field's name as its flag has it: PoolSize is pool-size.
func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Table is the table of settings, in the order in which they are told.
func Table() []Setting { return table }

// In is the value in the settings: a float64, an int, a time.Duration, a string or a
// bool.
func (t Setting) In(s Settings) any { return reflect.ValueOf(s).Field(t.field).Interface() }

// IsOff reports whether the value is none at all.
func (t Setting) IsOff(s Settings) bool { return reflect.ValueOf(s).Field(t.field).IsZero() }

// in is a pointer to the value.
func (t Setting) in(s *Settings) any {
	return reflect.ValueOf(s).Elem().Field(t.field).Addr().Interface()
}

// Defaults are the seed experiment's settings.
func Defaults() (s Settings) {
	for _, t := range table {
		if t.byDefault == "" {
			continue
		}
		var err error
		switch v := t.in(&s).(type) {
		case *float64:
			*v, err = strconv.ParseFloat(t.byDefault, 64)
		case *int:
			*v, err = strconv.Atoi(t.byDefault)
		case *time.Duration:
			*v, err = time.ParseDuration(t.byDefault)
		case *string:
			*v = t.byDefault
		}
		if err != nil {
			panic(err) // a mistake in the tags
		}
	}
	return s
}

// check says what is wrong with a number.
func (t Setting) check(s *Settings) error {
	var n float64
	unit := t.unit
	switch v := t.in(s).(type) {
	case *float64:
		n = *v
	case *int:
		n = float64(*v)
	case *time.Duration:
		n, unit = v.Seconds(), "s"
	}
	switch {
	case t.least == "above zero" && (!(n > 0) || math.IsInf(n, 0)):
		return fmt.Errorf("--%s must be above zero, not %s", t.Flag, strings.TrimSpace(fmt.Sprint(n, " ", unit)))
	case t.least == "not negative" && n < 0:
		return fmt.Errorf("--%s must not be negative, not %v", t.Flag, n)
	}
	return nil
}

// ServerTimeouts are the timeouts that the server is told of, by its own names; without
// those that are off.
func (s Settings) ServerTimeouts() map[string]time.Duration {
	timeouts := map[string]time.Duration{}
	for _, t := range table {
		if d, ok := t.In(s).(time.Duration); ok && t.server != "" && d > 0 {
			timeouts[t.server] = d
		}
	}
	return timeouts
}

// serverFlags are the flags of the server's timeouts.
func serverFlags() (flags []string) {
	for _, t := range table {
		if t.server != "" {
			flags = append(flags, t.Flag)
		}
	}
	return flags
}

// Override sets what is named, by flags, to what it is in other settings.
func (s *Settings) Override(to Settings, named map[string]bool) {
	for _, t := range table {
		if named[t.Flag] {
			reflect.ValueOf(s).Elem().Field(t.field).Set(reflect.ValueOf(to).Field(t.field))
		}
	}
}

// flags are the words of a command line that ask for the settings: those that are not
// by default. Numbers that no flag takes are left out.
func (s Settings) flags() (words []string) {
	byDefault := Defaults()
	for _, t := range table {
		if t.In(s) == t.In(byDefault) {
			continue
		}
		flag := "--" + t.Flag
		switch v := t.In(s).(type) {
		case float64:
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				words = append(words, flag, strconv.FormatFloat(v, 'f', -1, 64))
			}
		case int:
			if t.Flag == "pgbouncer-size" {
				words = append(words, "--pgbouncer")
			}
			words = append(words, flag, strconv.Itoa(v))
		case time.Duration:
			words = append(words, flag, shortDuration(v))
		case bool:
			words = append(words, flag+"="+strconv.FormatBool(v))
		case string:
			if t.Flag != "postgres" {
				words = append(words, flag, v)
			}
		}
	}
	return words
}

// shortDuration is a duration as a flag takes it, without the zeros that
// time.Duration adds: 2m, not 2m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
