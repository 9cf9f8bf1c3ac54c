package connstring

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What a server could send back of a string that was accepted: all of it, quoted as
// PostgreSQL quotes.
func TestHide_whateverTheServerSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.StringOfN(rapid.SampledFrom([]rune(" \t'\"\\=@:/?#&%;,[]aA1")), 0, 3, -1)
		password := odd.Draw(t, "before") + "kanarie" + odd.Draw(t, "between") + "vogel" + odd.Draw(t, "after")
		s := rapid.SampledFrom([]string{
			"host=h password=" + password + " dbname=d",
			"host=h password='" + password + "' dbname=d",
			"host=h password = " + password,
			"postgres://u:" + password + "@h/d",
			"postgres://u:" + url.PathEscape(password) + "@h/d?work_mem=1",
			"postgres://h/d?password=" + password,
			"postgres://h/d?pass%77ord=" + url.PathEscape(password) + "&x=y",
		}).Draw(t, "string")
		cc, err := Parse(s)
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			said = fmt.Sprintf("%s %s %s %d", cc.Host, cc.User, cc.Database, cc.Port)
			for name, value := range cc.RuntimeParams {
				said += fmt.Sprintf(` parameter "%s": "%s"`, name, value)
			}
			said = hide(cc, said+" password "+cc.Password)
		}
		if strings.Contains(said, "kanarie") || strings.Contains(said, "vogel") {
			t.Fatalf("%q: %s", s, said)
		}
	})
}

// What people write, and is right, is taken as pgx takes it.
func TestParse_takesWhatIsRight(t *testing.T) {
	for _, s := range []string{
		"",
		"host=h user=u password='a b' dbname=d sslmode=disable",
		"host=/var/run/postgresql user=me@server dbname='a b' application_name='x: y' search_path=a,b",
		"host=h1,h2 port=1,2 user=DOMAIN\\\\me TimeZone=UTC myapp.user=5 statement_cache_capacity=5",
		"host=::1 options='-c search_path=x -c password_encryption=md5'",
		"postgres://u:p%40s%2Fs@h:5432/d?sslmode=disable&schema=public&connection_limit=5",
		"postgres://me%40server:p@h_1.example-2.com,[::1]:5433/d%40x?application_name=a@b&user=me@server",
		"postgresql:///d?host=/tmp&password=p@ss",
		"postgres://[fe80::1%25eth0]/d",
		"postgres://bücher.example/d",
	} {
		if _, err := Parse(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// A password that is also a name says nothing.
func TestHide_leavesNames(t *testing.T) {
	cc, err := Parse("postgres://postgres:postgres@h/postgres?schema=public")
	if err != nil {
		t.Fatal(err)
	}
	const said = `failed to connect to user=postgres: unrecognized configuration parameter "schema"`
	if got := hide(cc, said); got != said {
		t.Errorf("got %q", got)
	}
}
