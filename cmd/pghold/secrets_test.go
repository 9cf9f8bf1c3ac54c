package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/pghold/pghold/internal/pg/pgtest"
)

// The password of the connection strings below is made of these two, with whatever is
// between them. Either in what is printed is a password that is shown.
var canaries = []string{"kanarie", "vogel"}

// connectionStrings are those that people write, right and wrong. Of each there are two:
// with PORT 1, where nobody listens, and with a PORT that is no number.
var connectionStrings = map[string]string{
	// Keywords and values. Password before and after the mistake, as each form has it.
	"plain":                      "host=127.0.0.1 port=PORT user=u password=kanarievogel dbname=d",
	"plain, last":                "host=127.0.0.1 port=PORT user=u dbname=d password=kanarievogel",
	"plain, first":               "password=kanarievogel host=127.0.0.1 port=PORT user=u",
	"spaces around =":            "host=127.0.0.1 port=PORT user=u password = kanarievogel dbname=d",
	"space after =":              "host=127.0.0.1 port=PORT user=u password= kanarievogel dbname=d",
	"tab around =":               "host=127.0.0.1 port=PORT user=u password\t=\tkanarievogel dbname=d",
	"newline between":            "host=127.0.0.1\nport=PORT\nuser=u\npassword=kanarievogel\n",
	"quoted":                     "host=127.0.0.1 port=PORT user=u password='kanarie vogel' dbname=d",
	"quoted, spaces around =":    "host=127.0.0.1 port=PORT user=u password = 'kanarie vogel' dbname=d",
	"quoted, escaped quote":      `host=127.0.0.1 port=PORT user=u password='kanarie\'vogel' dbname=d`,
	"quoted, unescaped quote":    "host=127.0.0.1 port=PORT user=u password='kanarie'vogel' dbname=d",
	"quoted, = after a quote":    "host=127.0.0.1 port=PORT user=u password='kanarie'vogel=x'",
	"quoted, no end":             "host=127.0.0.1 port=PORT user=u password='kanarie vogel",
	"quoted, backslash":          `host=127.0.0.1 port=PORT user=u password='kanarie\\vogel' dbname=d`,
	"quoted, doubled quote":      "host=127.0.0.1 port=PORT user=u password='kanarie''vogel' dbname=d",
	"double quotes":              `host=127.0.0.1 port=PORT user=u password="kanarie vogel" dbname=d`,
	"escaped space":              `host=127.0.0.1 port=PORT user=u password=kanarie\ vogel dbname=d`,
	"escaped quote":              `host=127.0.0.1 port=PORT user=u password=kanarie\'vogel dbname=d`,
	"unquoted space":             "host=127.0.0.1 port=PORT user=u password=kanarie vogel dbname=d",
	"unquoted space, then =":     "host=127.0.0.1 port=PORT user=u password=kanarie vogel=x dbname=d",
	"unquoted space, last":       "host=127.0.0.1 port=PORT user=u password=kanarie vogel",
	"unquoted quote":             "host=127.0.0.1 port=PORT user=u password=kanarie'vogel dbname=d",
	"an @":                       "host=127.0.0.1 port=PORT user=u password=kanarie@vogel dbname=d",
	"a : and an @":               "host=127.0.0.1 port=PORT user=u password=kanarie:vogel@x dbname=d",
	"upper case":                 "host=127.0.0.1 port=PORT user=u PASSWORD=kanarievogel dbname=d",
	"upper case, all":            "HOST=127.0.0.1 PORT=PORT USER=u PASSWORD=kanarievogel",
	"mixed case, quoted":         "host=127.0.0.1 port=PORT user=u Password = 'kanarie vogel'",
	"pwd":                        "host=127.0.0.1 port=PORT user=u pwd=kanarievogel dbname=d",
	"pass":                       "host=127.0.0.1 port=PORT user=u pass = kanarievogel dbname=d",
	"passwd":                     "host=127.0.0.1 port=PORT user=u passwd='kanarie vogel' dbname=d",
	"twice":                      "host=127.0.0.1 port=PORT user=u password=kanarie password = vogel",
	"sslpassword":                "host=127.0.0.1 port=PORT user=u sslpassword = 'kanarie vogel'",
	"semicolons":                 "host=127.0.0.1;port=PORT;user=u;password=kanarievogel;dbname=d",
	"semicolons after the user":  "host=127.0.0.1 port=PORT user=u;password=kanarievogel",
	"semicolons in capitals":     "Host=127.0.0.1;Port=PORT;Username=u;Password=kanarievogel;Database=d",
	"commas":                     "host=127.0.0.1,port=PORT,user=u,password=kanarievogel",
	"ampersands":                 "host=127.0.0.1 port=PORT user=u&password=kanarievogel",
	"colons":                     "host:127.0.0.1 port:PORT user:u password:kanarievogel",
	"no user's name":             "host=127.0.0.1 port=PORT user= password=kanarievogel",
	"no database's name":         "host=127.0.0.1 port=PORT user=u dbname= password=kanarievogel",
	"no application's name":      "host=127.0.0.1 port=PORT user=u application_name= password=kanarievogel",
	"no host":                    "port=PORT user=u host= password=kanarievogel",
	"no value for the mode":      "host=127.0.0.1 port=PORT user=u sslmode= password=kanarievogel",
	"user:password":              "host=127.0.0.1 port=PORT user=u:kanarievogel dbname=d",
	"a URL for the database":     "host=127.0.0.1 port=PORT dbname=postgres://u:kanarievogel@h/d",
	"a URL for the host":         "port=PORT host=postgres://u:kanarievogel@h/d",
	"a line of a .env file":      "DATABASE_URL=postgres://u:kanarievogel@127.0.0.1:PORT/d",
	"export of a shell":          "export DATABASE_URL=postgres://u:kanarievogel@127.0.0.1:PORT/d",
	"a NUL":                      "host=127.0.0.1 port=PORT user=u password=kanarie\x00vogel",
	"an unknown number":          "host=127.0.0.1 port=PORT user=u password = kanarievogel pool_max_conns=many",
	"a number for pgx":           "host=127.0.0.1 port=PORT user=u password = kanarievogel statement_cache_capacity=many",
	"a file that is not there":   "host=127.0.0.1 port=PORT user=u password = kanarievogel sslmode=verify-full sslrootcert=/nowhere",
	"a service that is not":      "host=127.0.0.1 port=PORT user=u password = kanarievogel service=kanarie servicefile=vogel",
	"a wrong mode of TLS":        "host=127.0.0.1 port=1 user=u password = kanarievogel sslmode=kanarie",
	"a wrong target":             "host=127.0.0.1 port=1 user=u target_session_attrs= password=kanarievogel",
	"a wrong protocol's version": "host=127.0.0.1 port=1 user=u min_protocol_version= password=kanarievogel",
	"a wrong channel binding":    "host=127.0.0.1 port=1 user=u channel_binding= password=kanarievogel",
	"a wrong authentication":     "host=127.0.0.1 port=1 user=u require_auth= password=kanarievogel",
	"a wrong certificate's mode": "host=127.0.0.1 port=1 user=u sslcertmode= password=kanarievogel",
	"a wrong time-out":           "host=127.0.0.1 port=1 user=u connect_timeout= password=kanarievogel",

	// URLs.
	"URL":                            "postgres://u:kanarievogel@127.0.0.1:PORT/d",
	"URL, the long scheme":           "postgresql://u:kanarievogel@127.0.0.1:PORT/d",
	"URL, an @":                      "postgres://u:kanarie@vogel@127.0.0.1:PORT/d",
	"URL, several @":                 "postgres://u:@kanarie@vogel@127.0.0.1:PORT/d",
	"URL, an encoded @":              "postgres://u:kanarie%40vogel@127.0.0.1:PORT/d",
	"URL, encoded letters":           "postgres://u:%6b%61narie%76ogel@127.0.0.1:PORT/d",
	"URL, an encoded :":              "postgres://u%3Akanarievogel@127.0.0.1:PORT/d",
	"URL, all encoded":               "postgres://u%3Akanarievogel%40127.0.0.1:PORT/d",
	"URL, a colon":                   "postgres://u:kanarie:vogel@127.0.0.1:PORT/d",
	"URL, a slash":                   "postgres://u:kanarie/vogel@127.0.0.1:PORT/d",
	"URL, a slash after digits":      "postgres://u:12/kanarie/vogel@127.0.0.1:PORT/d",
	"URL, a slash, then a ?":         "postgres://u:12/3?kanarie=vogel@127.0.0.1:PORT/d",
	"URL, a slash and an @":          "postgres://u:kanarie@vogel/x@127.0.0.1:PORT/d",
	"URL, a question mark":           "postgres://u:kanarie?vogel@127.0.0.1:PORT/d",
	"URL, an @ and a question mark":  "postgres://u:x@kanarie?y=vogel@127.0.0.1:PORT/d",
	"URL, an @ and a comma":          "postgres://u:x@kanarie,vogel@127.0.0.1:PORT/d",
	"URL, a hash":                    "postgres://u:kanarie#vogel@127.0.0.1:PORT/d",
	"URL, a hash and an @":           "postgres://u:kanarie#x@vogel@127.0.0.1:PORT/d",
	"URL, a percent sign":            "postgres://u:kanarie%vogel@127.0.0.1:PORT/d",
	"URL, a space":                   "postgres://u:kanarie vogel@127.0.0.1:PORT/d",
	"URL, a bracket":                 "postgres://u:[kanarie@vogel]@127.0.0.1:PORT/d",
	"URL, a bracket without an end":  "postgres://[u:kanarievogel@127.0.0.1:PORT/d",
	"URL, all in brackets":           "postgres://[u:kanarievogel@127.0.0.1]:PORT/d",
	"URL, no host":                   "postgres://u:kanarievogel@:PORT/d",
	"URL, after the host":            "postgres://127.0.0.1:PORT:kanarievogel/d",
	"URL, after the host, with an @": "postgres://127.0.0.1:1/d:kanarie@vogel",
	"URL, a parameter":               "postgres://127.0.0.1:PORT/d?user=u&password=kanarievogel",
	"URL, a parameter, encoded":      "postgres://127.0.0.1:PORT/d?user=u&password=kanarie%40%76ogel",
	"URL, a parameter's name too":    "postgres://127.0.0.1:PORT/d?user=u&pass%77ord=kanarievogel",
	"URL, a parameter in capitals":   "postgres://127.0.0.1:PORT/d?user=u&PASSWORD=kanarievogel",
	"URL, a parameter with an @":     "postgres://127.0.0.1:PORT/d?user=u&password=kanarie@vogel",
	"URL, a parameter with an &":     "postgres://127.0.0.1:PORT/d?user=u&password=kanarie&vogel",
	"URL, a parameter, & and =":      "postgres://127.0.0.1:PORT/d?user=u&password=kanarie&vogel=x",
	"URL, a parameter with an =":     "postgres://127.0.0.1:PORT/d?user=u&password=kanarie=vogel",
	"URL, a parameter of TLS":        "postgres://127.0.0.1:PORT/d?user=u&sslpassword=kanarievogel",
	"URL, a second ?":                "postgres://127.0.0.1:PORT/d?user=u?password=kanarievogel",
	"URL, a semicolon":               "postgres://127.0.0.1:PORT/d;user=u;password=kanarievogel",
	"URL, capitals":                  "POSTGRES://u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable",
	"URL, one slash":                 "postgres:/u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable",
	"URL, a space before it":         " postgres://u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable",
	"URL, in quotes":                 `"postgres://u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable"`,
	"URL, for JDBC":                  "jdbc:postgresql://127.0.0.1:PORT/d?user=u&password=kanarievogel",
	"URL, for SQLAlchemy":            "postgresql+psycopg2://u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable",
	"URL, of MySQL":                  "mysql://u:kanarievogel@127.0.0.1:PORT/d",
	"URL, without a scheme":          "u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable",
	"URL, a command":                 "psql postgres://u:kanarievogel@127.0.0.1:PORT/d?sslmode=disable",
}

// secretsEnvironment lets no setting of the machine into a test.
func secretsEnvironment(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range []string{"PGHOLD_DSN", "DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE"} {
		t.Setenv(name, "")
	}
}

// shows returns the first canary in a text, whatever its case, and quoted or encoded
// as it may be.
func shows(text string) string {
	decoded, _ := url.PathUnescape(text)
	for _, text := range []string{text, decoded} {
		for _, canary := range canaries {
			if strings.Contains(strings.ToLower(text), canary) {
				return canary
			}
		}
	}
	return ""
}

func TestPassword_isShownOfNoConnectionString(t *testing.T) {
	secretsEnvironment(t)
	for name, dsn := range connectionStrings {
		for _, port := range []string{"1", "port"} {
			dsn := strings.ReplaceAll(dsn, "PORT", port)
			for i, c := range []struct {
				source string
				args   []string
			}{
				{"--dsn", []string{"lab", outside, "--dsn", dsn}},
				{"--dsn", []string{"serve", "--addr", "127.0.0.1:0", "--dsn=" + dsn}},
				{"--dsn", []string{"plan", "--validate", "1", outside, "--dsn", dsn}},
				{"PGHOLD_DSN", []string{"lab", outside}},
				{"DATABASE_URL", []string{"lab", outside}},
			} {
				if port != "1" && i > 0 {
					break // the parser's error is the same everywhere
				}
				if c.source != "--dsn" {
					if strings.Contains(dsn, "\x00") {
						continue // no environment can have it
					}
					t.Setenv(c.source, dsn)
				}
				status, out, err := pghold(t.Context(), c.args...)
				t.Setenv("PGHOLD_DSN", "")
				t.Setenv("DATABASE_URL", "")
				if canary := shows(out + err); canary != "" {
					t.Errorf("%s, port %s, %s %s: %s%s shows %q", name, port, c.args[0], c.source, out, err, canary)
				}
				if status != exitFailed && status != exitUsage {
					t.Errorf("%s, port %s, %s %s: status %d", name, port, c.args[0], c.source, status)
				}
			}
		}
	}
}

// Whatever is in a password, and however it is written, right or wrong.
func TestPassword_isNotShownWhateverIsInIt(t *testing.T) {
	secretsEnvironment(t)
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.StringOfN(rapid.SampledFrom([]rune(" \t\n'\"\\=@:/?#&%;,[]{}()<>|+.-_~!$*^`aA1\u00e9\u202e\x1b")), 0, 4, -1)
		password := odd.Draw(t, "before") + "kanarie" + odd.Draw(t, "between") + "vogel" + odd.Draw(t, "after")
		quoted := "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(password) + "'"
		escaped := regexp.MustCompile(`[\s\\']`).ReplaceAllString(password, `\$0`)
		dsn := rapid.SampledFrom([]string{
			"host=127.0.0.1 port=PORT user=u password=" + password + " dbname=d",
			"host=127.0.0.1 port=PORT user=u password='" + password + "' dbname=d",
			"host=127.0.0.1 port=PORT user=u password = " + quoted + " dbname=d",
			"host=127.0.0.1 port=PORT user=u PASSWORD = " + escaped + " dbname=d",
			"host=127.0.0.1 port=PORT user=u password = " + escaped,
			"host=127.0.0.1 port=PORT user= password=" + password,
			"host=127.0.0.1,port=PORT,user=u,password=" + password,
			"postgres://u:" + password + "@127.0.0.1:PORT/d",
			"postgres://u:" + url.PathEscape(password) + "@127.0.0.1:PORT/d",
			"postgres://u:12/3" + password + "@127.0.0.1:PORT/d",
			"postgres://u:x@y" + password + "@127.0.0.1:PORT/d",
			"postgres://127.0.0.1:PORT/d?user=u&password=" + password,
			"postgres://127.0.0.1:PORT/d?user=u&sslpassword=" + url.QueryEscape(password),
			"postgresql+psycopg://u:" + password + "@127.0.0.1:PORT/d?sslmode=disable",
		}).Draw(t, "form")
		dsn = strings.ReplaceAll(dsn, "PORT", rapid.SampledFrom([]string{"1", "port"}).Draw(t, "port"))
		status, out, err := pghold(context.Background(), "lab", outside, "--dsn", dsn)
		if c := shows(out + err); c != "" || status != exitFailed && status != exitUsage {
			t.Fatalf("%q: status %d, %s%s; it shows %q", dsn, status, out, err, c)
		}
	})
}

func TestPassword_isShownOfNoArgument(t *testing.T) {
	secretsEnvironment(t)
	const address = "postgres://u:kanarievogel@127.0.0.1:1/d"
	for _, args := range [][]string{
		{address},
		{"lab", address},
		{"serve", address},
		{"report", address},
		{"report", "seed", address},
		{"check", address},
		{"plan", "--from", address},
		{"lab", "--out", address},
		{"lab", "--dns", address},
		{"lab", "--dns=" + address},
		{"lab", "-dsn=" + address},
		{"lab", "--speed", address},
		{"lab", "--dsn", "host=127.0.0.1", "port=1", "password=kanarievogel"},
		{"serve", "--dsn", "host=127.0.0.1", "port=1", "password=kanarie", "vogel"},
		{"serve", "--dsn", "host=127.0.0.1", "password", "=", "kanarievogel"},
		{"lab", "host=127.0.0.1 port=1 password = kanarievogel"},
		{"lab", "jdbc:postgresql://127.0.0.1/d?password=kanarievogel"},
	} {
		status, out, err := pghold(t.Context(), args...)
		if c := shows(out + err); c != "" || status != exitUsage || strings.Count(err, "\n") != 1 {
			t.Errorf("%q: status %d, %s%s; it shows %q", args, status, out, err, c)
		}
	}
}

// The server names the parameters that it does not know.
func TestPassword_isNotInTheServersAnswer(t *testing.T) {
	secretsEnvironment(t)
	cc, err := pgx.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	plain := fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable ", cc.Host, cc.Port, cc.User, cc.Database)
	address := fmt.Sprintf("postgres://%s:%d/%s?sslmode=disable&user=%s&", cc.Host, cc.Port, cc.Database, cc.User)
	for _, dsn := range []string{
		plain + "password=" + cc.Password + " kanarie=vogel",
		plain + "password = " + cc.Password + " kanarie='vogel'",
		plain + "password=" + cc.Password + " datestyle=kanarie",
		address + "password=" + cc.Password + "&kanarie=vogel",
		address + "pass%77ord=" + cc.Password + "&datestyle=vogel",
	} {
		status, out, err := pghold(t.Context(), "lab", outside, "--dsn", dsn)
		if c := shows(out + err); c != "" || status != exitFailed || !strings.Contains(err, "parameter \"*****\"") && !strings.Contains(err, ": \"*****\"") {
			t.Errorf("%q: status %d, %s%s; it shows %q", dsn, status, out, err, c)
		}
	}
	// What no password comes before is told.
	dsn := fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable&schema=public", cc.User, cc.Password, cc.Host, cc.Port, cc.Database)
	if _, _, err := pghold(t.Context(), "lab", outside, "--dsn", dsn); !strings.Contains(err, `parameter "schema"`) {
		t.Errorf("a parameter that is not known has no name: %s", err)
	}
}

func TestHelp_saysWhereAPasswordBelongs(t *testing.T) {
	for _, verb := range []string{"lab", "serve", "plan"} {
		_, out, _ := pghold(t.Context(), verb, "--help")
		help := strings.Join(strings.Fields(out), " ")
		for _, want := range []string{"a password in --dsn in the list of processes", "PGPASSWORD", "~/.pgpass", "PGPASSFILE"} {
			if !strings.Contains(help, want) {
				t.Errorf("%s --help does not say %q", verb, want)
			}
		}
	}
}
