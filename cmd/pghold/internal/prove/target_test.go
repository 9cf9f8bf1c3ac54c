package prove_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/prove"
)

func TestTarget_RouteName(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8080":                                                   "GET /",
		"http://127.0.0.1:8080/health":                                            "GET /health",
		"http://127.0.0.1:8080/checkout/1":                                        "GET /checkout/{n}",
		"http://h/v1.2/users/42/orders/7?page=3#top":                              "GET /v1.2/users/{n}/orders/{n}",
		"http://h/o/4f9d2a6e-8a3c-4d6e-9b1f-0c2d3e4f5a6b/items":                   "GET /o/{id}/items",
		"http://h/o/01ARZ3NDEKTSV4RRFFQ69G5FAV":                                   "GET /o/{id}",
		"http://h/blob/9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e4": "GET /blob/{id}",
		"http://h/deadbeef":                                                       "GET /deadbeef",
		"http://h/a%20b/":                                                         "GET /a%20b/",
	} {
		target, err := prove.ParseTarget(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
		} else if got := target.RouteName(); got != want {
			t.Errorf("%s is %s, want %s", url, got, want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	body := filepath.Join(t.TempDir(), "order.json")
	if err := os.WriteFile(body, []byte(`{"n": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := prove.ParseTarget("POST http://localhost:3000/orders?key=secret&x @" + body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "POST" || string(got.Body) != `{"n": 1}` || got.Address() != "localhost:3000" || !got.Loopback() || !got.Writes() {
		t.Errorf("got %+v", got)
	}
	if a := got.Attacked(); a.URL != "http://localhost:3000/orders?key=…&x" || a.Body != 8 {
		t.Errorf("what is kept of it: %+v", a)
	}
	for text, want := range map[string]string{
		"":                              "is not METHOD URL",
		"GET":                           "is not METHOD URL",
		"GET http://h/ body":            "is not METHOD URL",
		"get http://h/":                 `"get" is no HTTP method`,
		"GET 127.0.0.1:8080/":           "is no URL of HTTP",
		"GET ftp://h/":                  "is no URL of HTTP",
		"GET http:///x":                 "is no URL of HTTP",
		"GET http://u:p@h/":             "must not have a password",
		"POST http://h/ @/no/such/file": "no such file",
	} {
		if _, err := prove.ParseTarget(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestTarget_AddressAndLoopback(t *testing.T) {
	for url, want := range map[string]struct {
		address  string
		loopback bool
	}{
		"http://127.0.0.1/": {"127.0.0.1:80", true}, "https://[::1]/": {"[::1]:443", true}, "http://127.9.9.9:1/": {"127.9.9.9:1", true},
		"http://example.com/": {"example.com:80", false}, "http://10.0.0.1:8080/": {"10.0.0.1:8080", false}, "http://localhost.example.com/": {"localhost.example.com:80", false},
	} {
		target, err := prove.ParseTarget(url)
		if err != nil {
			t.Fatal(err)
		}
		if target.Address() != want.address || target.Loopback() != want.loopback {
			t.Errorf("%s is at %s, on this machine: %v", url, target.Address(), target.Loopback())
		}
	}
}

func TestReadTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "targets")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("GET http://127.0.0.1:8080/a/1\nX-Tenant: 7\n\nDELETE http://127.0.0.1:8080/a/2\n")
	got, err := prove.ReadTargets(file)
	if err != nil || len(got) != 2 || got[0].Header.Get("X-Tenant") != "7" || got[1].Method != "DELETE" {
		t.Errorf("got %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                        "is not in vegeta's format",
		"hello":                   "is not in vegeta's format",
		"GET http://u:p@h/\n":     "must not have a password",
		"GET ftp://h/a\n":         "is no URL of HTTP",
		"GET http://h/\n@/none\n": "none",
	} {
		write(text)
		if _, err := prove.ReadTargets(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestWrites(t *testing.T) {
	var targets []prove.Target
	for name, urls := range map[string][]string{
		"a": {"GET http://h/", "POST http://h/", "POST http://h/"}, // 8 requests: 3, 3 and 2
		"b": {"DELETE http://h/"}, "c": {"GET http://h/"},
	} {
		for _, u := range urls {
			target, err := prove.ParseTarget(u)
			if err != nil {
				t.Fatal(err)
			}
			target.Name = name
			targets = append(targets, target)
		}
	}
	if got, want := prove.Writes(targets, 8), map[string]int{"POST": 3 + 2 + 2, "DELETE": 8 + 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHidePasswords(t *testing.T) {
	got := prove.HidePasswords([]string{
		"--db=postgres://anna:s3cret@h/d", "DB=postgresql+asyncpg://{user}:{password}@{host}/d", "PGPASSWORD=s3cret", "--password=s3cret", "API_KEY: s3cret",
		"http://127.0.0.1:8080/a", "--port", "8080", "mysql://root:@h/",
		"--password", "s3cret", "--db-pass=s3cret", "MYSQL_PWD=s3cret", "--token", "--port", "PGPASSWORD=s3cret psql -f a.sql", "app --password s3cret -v",
	})
	want := []string{
		"--db=postgres://anna:…@h/d", "DB=postgresql+asyncpg://{user}:{password}@{host}/d", "PGPASSWORD=…", "--password=…", "API_KEY: …",
		"http://127.0.0.1:8080/a", "--port", "8080", "mysql://root:@h/",
		"--password", "…", "--db-pass=…", "MYSQL_PWD=…", "--token", "--port", "PGPASSWORD=… psql -f a.sql", "app --password … -v",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
