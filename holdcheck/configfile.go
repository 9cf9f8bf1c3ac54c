package holdcheck

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
)

// ReadConfig reads a configuration from a file, and checks it.
func ReadConfig(file string) (Config, error) {
	var c Config
	text, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := decodeStrictly(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c Config) check() error {
	for i, s := range c.Slow {
		at := fmt.Sprintf("slow[%d]", i)
		if err := checkName(at+".func", s.Func); err != nil {
			return err
		}
		if s.Severity != "" && !slices.Contains(Severities(), s.Severity) {
			return fmt.Errorf("%s.severity is %q: want high, medium or low", at, s.Severity)
		}
		if s.Kind != "" && !slices.Contains(Kinds(), s.Kind) {
			return fmt.Errorf("%s.kind is %q: want one of %s", at, s.Kind, listed(Kinds()))
		}
	}
	for i, name := range c.Fast {
		if err := checkName(fmt.Sprintf("fast[%d]", i), name); err != nil {
			return err
		}
	}
	for i, o := range c.Openers {
		at := fmt.Sprintf("openers[%d]", i)
		if err := checkName(at+".func", o.Func); err != nil {
			return err
		}
		if o.Callback < 0 {
			return fmt.Errorf("%s.callback is %d: want the number of an argument, from 1, or 0 where there is none", at, o.Callback)
		}
		if o.Callback > 0 && len(o.Closers) > 0 {
			return fmt.Errorf("%s has a callback and closers: what runs a function meanwhile is not closed by who calls it", at)
		}
		if slices.Contains(o.Closers, "") {
			return fmt.Errorf("%s.closers has an empty name: want names of methods, such as Commit", at)
		}
	}
	return nil
}

// checkName checks the name of a function: it is types.Func.FullName's.
func checkName(at, name string) error {
	switch body := strings.TrimSuffix(name, "*"); {
	case name == "":
		return fmt.Errorf("%s is missing: want the full name of a function, such as net/http.Get or (*example.com/app/mail.Sender).Send", at)
	case strings.ContainsAny(name, " \t\n"), strings.Contains(body, "*") && !strings.HasPrefix(body, "(*"), strings.Count(body, "*") > 1,
		!strings.HasSuffix(name, "*") && !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], "."):
		return fmt.Errorf("%s is %q: want the full name of a function, such as net/http.Get or (*example.com/app/mail.Sender).Send, with * only at its end", at, name)
	}
	return nil
}

// decodeStrictly reads one JSON document without fields that nobody knows, and says
// what is wrong with it in a sentence.
func decodeStrictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		if _, err := d.Token(); err != io.EOF {
			return errors.New("there is something after the JSON document")
		}
		return nil
	case errors.As(err, &kind):
		return fmt.Errorf("%s is %s: want %s", cmp.Or(kind.Field, "the document"), article(kind.Value), wanted(kind.Type))
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte{'\n'})
		return fmt.Errorf("line %d is no JSON: %w", line, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON document ends too early")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func article(word string) string {
	if strings.ContainsAny(word[:1], "aeiou") {
		return "an " + word
	}
	return "a " + word
}

// wanted is a type in JSON's words.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

func listed[T ~string](names []T) string {
	var words []string
	for _, n := range names {
		words = append(words, string(n))
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
