package service_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/prove/service"
)

var shop = service.Database{Host: "127.0.0.1", Port: 6432, User: "anna b", Password: "p@ss/w:rd?&#%+", Name: "my shop"}

func TestEnv_LeadsToTheDatabase(t *testing.T) {
	got, err := shop.Env(nil, "")
	want := []string{
		"DATABASE_URL=postgresql://anna%20b:p%40ss%2Fw%3Ard%3F%26%23%25%2B@127.0.0.1:6432/my%20shop",
		"PGHOST=127.0.0.1", "PGPORT=6432", "PGUSER=anna b", "PGPASSWORD=p@ss/w:rd?&#%+", "PGDATABASE=my shop",
		"PGSSLMODE=disable",
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (- want, + got):\n%s", err, d)
	}
	u, err := url.Parse(strings.TrimPrefix(got[0], "DATABASE_URL="))
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := u.User.Password(); u.User.Username() != shop.User || password != shop.Password || u.Path != "/"+shop.Name {
		t.Errorf("%s is read as %q, %q and %q", u, u.User.Username(), password, u.Path)
	}
}

func TestEnv_Templates(t *testing.T) {
	for template, want := range map[string]string{
		"ASYNC=postgresql+asyncpg://{user}:{password}@{host}:{port}/{database}": "ASYNC=postgresql+asyncpg://anna%20b:p%40ss%2Fw%3Ard%3F%26%23%25%2B@127.0.0.1:6432/my%20shop",
		"JDBC=jdbc:postgresql://{host}/{database}?user={user}":                  "JDBC=jdbc:postgresql://127.0.0.1/my%20shop?user=anna%20b",
		"WORDS=host={host} user={user} {password}":                              "WORDS=host=127.0.0.1 user=anna b p@ss/w:rd?&#%+",
		"spring.datasource.password={password}":                                 "spring.datasource.password=p@ss/w:rd?&#%+",
		`JSON={"host": "{host}", "pool": {}, "a b": {1}}`:                       `JSON={"host": "127.0.0.1", "pool": {}, "a b": {1}}`,
		"PAY={upstream}/v1/charges":                                             "PAY=http://127.0.0.1:9/v1/charges",
		"CALL=http://a/?next={upstream}":                                        "CALL=http://a/?next=http%3A%2F%2F127.0.0.1%3A9",
		"EMPTY=":                                                                "EMPTY=",
	} {
		got, err := shop.Env([]string{template}, "http://127.0.0.1:9/")
		if err != nil {
			t.Errorf("%s: %v", template, err)
		} else if got := got[len(got)-1]; got != want {
			t.Errorf("%s is\n%s, want\n%s", template, got, want)
		}
	}
}

func TestEnv_BracketsAroundAnIPv6AddressInAURL(t *testing.T) {
	d := service.Database{Host: "::1", Port: 5432, User: "u", Password: "p", Name: "d"}
	got, err := d.Env(nil, "")
	if err != nil || got[0] != "DATABASE_URL=postgresql://u:p@[::1]:5432/d" || got[1] != "PGHOST=::1" {
		t.Errorf("got %q and %v", got, err)
	}
}

func TestEnv_AnUpstreamIsOpenAI(t *testing.T) {
	env := func(upstream string) string {
		got, err := shop.Env(nil, upstream)
		if err != nil {
			t.Error(err)
		}
		return strings.Join(got, "\n") + "\n"
	}
	if got := env("http://127.0.0.1:9"); !strings.Contains(got, "\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\nOPENAI_API_KEY=pghold\n") {
		t.Errorf("with an upstream:\n%s", got)
	}
	if got := env(""); strings.Contains(got, "OPENAI") {
		t.Errorf("without an upstream:\n%s", got)
	}
}

func TestEnv_WhatIsWrong(t *testing.T) {
	const name = "an --env does not begin with a name: write --env NAME=value"
	for template, want := range map[string]string{
		"postgres://u:secret@h/d":                 name,
		"postgres://u:secret@h/d?sslmode=disable": name,
		"=secret":          name,
		"TWO WORDS=secret": name,
		"":                 name,
		"URL=postgres://u:secret@{host}:{prot}/{x}": "--env URL has {prot}, which is not known: there are {user}, {password}, {host}, {port}, {database} and {upstream}",
		"API={upstream}": "--env API has {upstream}, and there is none: add --upstream",
	} {
		if _, err := shop.Env([]string{template}, ""); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", template, err, want)
		}
	}
}
