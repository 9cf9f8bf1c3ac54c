package service

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Database is where a service finds its database.
type Database struct {
	Host           string
	Port           int
	User, Password string
	Name           string
}

// leading are the variables by which most programs find their database. The scheme is
// postgresql, because SQLAlchemy refuses postgres. There is no sslmode in the URL, which
// asyncpg below SQLAlchemy refuses; PGSSLMODE is for lib/pq and others that insist on
// TLS unless told otherwise, which the tap does not have.
var leading = []string{
	"DATABASE_URL=postgresql://{user}:{password}@{host}:{port}/{database}",
	"PGHOST={host}",
	"PGPORT={port}",
	"PGUSER={user}",
	"PGPASSWORD={password}",
	"PGDATABASE={database}",
	"PGSSLMODE=disable",
}

// modelled are the variables by which OpenAI's clients find the slow API. With the key
// that the user may have, a program that does not read the first would spend money.
var modelled = []string{
	"OPENAI_BASE_URL={upstream}/v1",
	"OPENAI_API_KEY=pghold",
}

var (
	variable = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	blank    = regexp.MustCompile(`\{[A-Za-z_][A-Za-z0-9_]*\}`)
)

// Env returns the variables that lead a service to the database: DATABASE_URL, PGHOST,
// PGPORT, PGUSER, PGPASSWORD, PGDATABASE and PGSSLMODE=disable; with an upstream, the
// address of a slow API without a slash at its end, OPENAI_BASE_URL and a key that is
// none; and then the templates, of which the last one of a name counts.
//
// A template is NAME=value with {user}, {password}, {host}, {port}, {database} and
// {upstream}. Where it is a URL, having "://" in it, these are percent-encoded. Other
// braces stay as they are.
func (d Database) Env(templates []string, upstream string) ([]string, error) {
	var env []string
	fill := func(templates []string) error {
		for _, template := range templates {
			filled, err := d.fill(template, strings.TrimRight(upstream, "/"))
			if err != nil {
				return err
			}
			env = append(env, filled)
		}
		return nil
	}
	err := fill(leading)
	if upstream != "" {
		err = errors.Join(err, fill(modelled))
	}
	return env, errors.Join(err, fill(templates))
}

// fill does not say what a template has, which may be a password.
func (d Database) fill(template, upstream string) (_ string, err error) {
	name, value, found := strings.Cut(template, "=")
	if !found || !variable.MatchString(name) {
		return "", errors.New("an --env does not begin with a name: write --env NAME=value")
	}
	encode := func(s string) string { return s }
	host := d.Host
	if strings.Contains(value, "://") {
		encode = percentEncoded
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
	}
	value = blank.ReplaceAllStringFunc(value, func(b string) string {
		if err != nil {
			return "" // the first one is told
		}
		switch b {
		case "{user}":
			return encode(d.User)
		case "{password}":
			return encode(d.Password)
		case "{host}":
			return host // nothing in it needs encoding
		case "{port}":
			return strconv.Itoa(d.Port)
		case "{database}":
			return encode(d.Name)
		case "{upstream}":
			if upstream == "" {
				err = fmt.Errorf("--env %s has {upstream}, and there is none: add --upstream", name)
			}
			return encode(upstream)
		}
		err = fmt.Errorf("--env %s has %s, which is not known: there are {user}, {password}, {host}, {port}, {database} and {upstream}", name, b)
		return ""
	})
	return name + "=" + value, err
}

// percentEncoded is text as any part of a URL may have it.
func percentEncoded(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
