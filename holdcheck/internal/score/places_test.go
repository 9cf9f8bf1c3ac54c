package main

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const head = "label\trepo\tcommit\tpath\ttx_line\tsite_line\tslow_line\n"

func TestParsePlaces(t *testing.T) {
	repos, err := parsePlaces(strings.NewReader(head +
		"TP\tacme/shop\taaa1\tapi/order.go\t10\t20\t7\r\n" +
		"\n" +
		"TN\tacme/mill\tbbb2\tgrind.go\t0\t4\n" + // cut short: the rest is empty
		"TN\tacme/shop\taaa1\tapi/quote.go\t0\t12\t\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(repos) != 2 || repos[0].Name != "acme/shop" || len(repos[0].Places) != 2 || repos[1].folder() != "acme+mill" {
		t.Fatalf("got %+v, want two rows of acme/shop, then one of acme/mill", repos)
	}
	want := Place{Label: "TP", Path: "api/order.go", TxLine: 10, SiteLine: 20, SlowLine: 7}
	if got := repos[0].Places[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParsePlaces_refuses(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"an empty list":            {"", "no places"},
		"a head without rows":      {head, "no places"},
		"a column that is missing": {"label\trepo\tcommit\tpath\ttx_line\n", "line 1: there is no column site_line"},
		"another label":            {head + "FP\tacme/shop\ta\tx.go\t1\t2\t\n", `line 2: the label is "FP"`},
		"a line that is no number": {head + "TP\tacme/shop\ta\tx.go\tten\t2\t\n", `tx_line is "ten"`},
		"a place without a hold":   {head + "TP\tacme/shop\ta\tx.go\t\t2\t\n", "no tx_line"},
		"a place without a call":   {head + "TN\tacme/shop\ta\tx.go\t\t\t\n", "no site_line"},
		"a repository by its name": {head + "TN\tshop\ta\tx.go\t\t2\t\n", "not OWNER/NAME"},
		"two commits of one repository": {head + "TN\tacme/shop\ta\tx.go\t\t2\t\nTN\tacme/shop\tb\tx.go\t\t2\t\n",
			"line 3: acme/shop is at b here and at a above"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsePlaces(strings.NewReader(test.in))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestModulesOf(t *testing.T) {
	repo := fstest.MapFS{
		"go.mod":              {},
		"main.go":             {},
		"backend/go.mod":      {},
		"backend/api/a.go":    {},
		"backend/api/b/b.go":  {},
		"internal/x/x.go":     {},
		"backendless/file.go": {},
	}
	places := func(paths ...string) Repo {
		var r Repo
		for _, p := range paths {
			r.Places = append(r.Places, Place{Path: p, SiteLine: 1})
		}
		return r
	}
	got, err := modulesOf(repo, places("backend/api/b/b.go", "internal/x/x.go", "backend/api/a.go", "backendless/file.go"))
	if want := []string{"backend", "."}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := modulesOf(repo, places("gone.go")); err == nil {
		t.Error("a file that is not in the checkout: got no error")
	}
	delete(repo, "go.mod")
	if _, err := modulesOf(repo, places("main.go")); err == nil {
		t.Error("no go.mod above a file: got no error")
	}
}
