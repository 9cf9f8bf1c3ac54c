// Package connstring reads connection strings and shows nothing of what they hold.
//
// A string that is not valid does not say where its password is: a parser takes
// "password=my secret" for a password and a keyword, and "postgres://u:p@ss@host" for
// a host called ss@host. So errors here are made of this package's own words. A string
// that a parser accepts, and that a person most likely meant otherwise, is refused:
// what goes by the name of a host would be printed, looked up and sent.
package connstring

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Parse is pgx.ParseConfig, and knows libpq's keepalives. Its errors have nothing of the string in them, and so host,
// port, user and database of what it accepts may be printed.
func Parse(s string) (*pgx.ConnConfig, error) {
	cc, err := pgx.ParseConfig(s)
	if err != nil {
		return nil, Reason(err)
	}
	if ambiguousURL(s) {
		return nil, errors.New("it has an @ too many: in a URL's user and password, write %40 for @, %2F for /, %3A for :, %3F for ? and %23 for #")
	}
	if err := check(cc); err != nil {
		return nil, err
	}
	if err := Keepalive(cc); err != nil {
		return nil, err
	}
	return cc, nil
}

// reasons are what pgx says, and what we say instead. The first that fits is taken.
var reasons = []struct{ pgx, says string }{
	{"NUL byte", "it has a NUL byte"},
	{"unterminated quoted string", "a quoted value has no end: within quotes, write \\' for ' and \\\\ for \\"},
	{`missing "="`, `a keyword has no "=": put a value that has spaces into single quotes`},
	{"invalid keyword/value", "it is neither keyword=value pairs nor a URL that starts with postgres://"},
	{"key/value separator", `a parameter of the URL has no "=", or several: write %26 for & and %3D for = in its value`},
	{"percent-encoded", "the URL has a space, or a % without two hexadecimal digits after it: write %20 for a space and %25 for %"},
	{"invalid port", "a port is no number from 1 to 65535: in a URL's user and password, write %40 for @, %2F for / and %3A for :"},
	{"port numbers to", "there are not as many ports as hosts"},
	{"IPv6", "the URL has an IPv6 address that is empty, or without its ]"},
	{"unexpected character", "the URL has something between the IPv6 address and its port"},
	{"read service", "its service is not to be found in the service file"},
	{"unable to read CA", "the file that sslrootcert names cannot be read"},
	{"add CA", "the file that sslrootcert names has no certificate"},
	{`both "sslcert"`, "of sslcert and sslkey it has only one"},
	{"unable to read sslkey", "the file that sslkey names cannot be read"},
	{"unable to read cert", "the file that sslcert names cannot be read"},
	{"sslpassword", "the file that sslkey names is encrypted, and there is no sslpassword"},
	{"decrypt key", "sslpassword does not open the file that sslkey names"},
	{"decode sslkey", "the file that sslkey names has no key"},
	{"sslmode", "sslmode is none of disable, allow, prefer, require, verify-ca and verify-full"},
}

// settings are those whose value pgx refuses by their name.
var settings = []string{
	"sslcertmode", "connect_timeout", "target_session_attrs", "min_protocol_version", "max_protocol_version",
	"channel_binding", "require_auth", "statement_cache_capacity", "description_cache_capacity", "default_query_exec_mode",
	"pool_max_conns", "pool_min_conns", "pool_min_idle_conns", "pool_max_conn_lifetime_jitter", "pool_max_conn_lifetime",
	"pool_max_conn_idle_time", "pool_health_check_period", "pool_ping_timeout",
}

// Reason returns pgx's error about a connection string without anything of the string.
// pgx leaves out a password that it finds, and says that it does not find all of them.
func Reason(err error) error {
	text := err.Error()
	text = text[strings.LastIndex(text, "`: ")+1:] // the string, as pgx shows it, is before
	for _, r := range reasons {
		if !strings.Contains(text, r.pgx) {
			continue
		}
		var unread *fs.PathError
		if errors.As(err, &unread) {
			return fmt.Errorf("%s: %w", r.says, unread.Err)
		}
		return errors.New(r.says)
	}
	for _, name := range settings {
		if strings.Contains(text, name) {
			return fmt.Errorf("the value of %s is not valid", name)
		}
	}
	return errors.New("it is neither keyword=value pairs nor a postgres:// URL that can be read")
}

// mayHaveAt are the parameters of a URL in which an @ is no surprise.
var mayHaveAt = []string{"user", "password", "sslpassword", "application_name", "passfile", "sslrootcert", "sslcert", "sslkey", "krbspn"}

// ambiguousURL reports whether a URL has an @ after the one that pgx takes for the end
// of user and password.
func ambiguousURL(s string) bool {
	scheme, rest, _ := strings.Cut(s, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return false
	}
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		rest = rest[i+1:]
	}
	address, query, _ := strings.Cut(rest, "?")
	if strings.Contains(address, "@") {
		return true
	}
	for parameter := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if name, _ := url.PathUnescape(name); strings.Contains(parameter, "@") && !slices.Contains(mayHaveAt, name) {
			return true
		}
	}
	return false
}

var (
	hostName  = regexp.MustCompile(`^[\pL\pN._:%-]*$`)
	parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$-]*$`)
	// ours are keywords, and what is mistaken for one. Those that it knows, which are
	// in lower case, pgx does not take for parameters of the server.
	ours = regexp.MustCompile(`(?i)^(host|hostaddr|port|user|username|userid|password|pass|passwd|pwd|passfile|dbname|database|service|ssl[a-z]*|connect_timeout)$`)
	// another is a password in the value of something else.
	another = regexp.MustCompile(`(?i)\b(ssl)?pass(word|wd)?\s*=|\bpwd\s*=|://[^/]*@`)
)

// check refuses what pgx accepts and nobody means. An empty variable in a script makes
// "user= password=secret", which is a user called "password=secret".
func check(cc *pgx.ConnConfig) error {
	hosts := []string{cc.Host}
	for _, f := range cc.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		socket := filepath.IsAbs(host) || strings.HasPrefix(host, "/")
		if socket && another.MatchString(host) || !socket && !hostName.MatchString(host) {
			return errors.New("the host has characters that no host's name has: pairs have spaces between them, and in a URL's password @ is written %40")
		}
	}
	switch {
	case strings.ContainsAny(cc.User, "=:"):
		return errors.New("the user's name has a = or a : in it: pairs have spaces between them, and none is without a value")
	case strings.Contains(cc.Database, "=") || strings.Contains(cc.Database, "://"):
		return errors.New("the database's name has a = or a URL in it: pairs have spaces between them, and none is without a value")
	}
	for name, value := range cc.RuntimeParams {
		switch {
		case !parameter.MatchString(name):
			return errors.New("it is neither keyword=value pairs nor a URL that starts with postgres://")
		case ours.MatchString(name):
			return errors.New("it has a keyword that is not supported: they are host, port, user, password, dbname, sslmode and others of libpq, all in lower case")
		case another.MatchString(value):
			return errors.New("a parameter's value has a password in it: pairs have spaces between them, and none is without a value")
		}
	}
	return nil
}

// Hidden stands for what is not shown.
const Hidden = "*****"

var passwordKey = regexp.MustCompile(`(?i)passw(or)?d\s*=`)

// hiddenError is an error with another text.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

// Hide returns an error of connecting without the password in its text, and without
// what may be a part of it: a server names the parameters that it does not know, and of
// "password=my secret=x" that is the second word.
func Hide(cc *pgx.ConnConfig, err error) error {
	return &hiddenError{hide(cc, err.Error()), err}
}

func hide(cc *pgx.ConnConfig, text string) string {
	var hidden []string
	if p := cc.Password; len(p) > 3 && !slices.Contains([]string{cc.User, cc.Database, cc.Host}, p) {
		hidden = append(hidden, p)
	}
	decoded, err := url.PathUnescape(cc.ConnString())
	if err != nil {
		decoded = cc.ConnString()
	}
	if at := passwordKey.FindStringIndex(decoded); at != nil {
		after := decoded[at[1]:]
		for name, value := range cc.RuntimeParams {
			if strings.Contains(after, name) {
				hidden = append(hidden, name, value)
			}
		}
	}
	slices.SortFunc(hidden, func(a, b string) int { return len(b) - len(a) }) // the longer first: it may hold the shorter
	for _, h := range hidden {
		if h == "" {
			continue
		}
		text = strings.ReplaceAll(text, `"`+h+`"`, `"`+Hidden+`"`)
		if len(h) > 3 {
			text = strings.ReplaceAll(text, h, Hidden)
		}
	}
	return text
}

var argument = regexp.MustCompile(`(?i)postgres(ql)?[^/\s]*://|://[^/]*@|(pass(word|wd)?|pwd)\s*=|^(ssl)?password$`)

// Like reports whether an argument of a command looks like a connection string, or like
// a part of one that a shell took apart.
func Like(arg string) bool { return argument.MatchString(arg) }
