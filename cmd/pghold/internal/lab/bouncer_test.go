package lab_test

import (
	"errors"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/internal/pg/pgtemp"
)

// With 5 server connections behind a PgBouncer, what commits before its call serves
// the seed's load, and so does what reads without a transaction, if only its pool of
// clients is large enough; what keeps its transaction open does not.
func TestRun_PgBouncer(t *testing.T) {
	t.Parallel()
	s := experiment.Defaults()
	s.Speed = 10
	s.CancelOnDisconnect = true // so that nobody works on for hundreds of seconds
	requireBouncer(t)
	g, err := experiment.FindGroup("pgbouncer")
	if err != nil {
		t.Fatal(err)
	}
	cases := g.Cases(s)
	for i, c := range cases {
		if !c.Route.SilentInTransaction() { // all of it is to be answered, on any machine
			cases[i].Settings = patient(c.Settings)
		}
	}
	res, _ := runCases(t, s, cases)
	for _, r := range res.Routes {
		if r.Connections.Max > 5 {
			t.Errorf("%s: the server saw %d connections, want at most 5", r.Name, r.Connections.Max)
		}
		switch route := r.Of(); {
		case !route.SilentInTransaction():
			if r.SuccessRatio != 1 {
				t.Errorf("%s: %+v, want all answered: %v", r.Name, r.Outcomes, r.Errors)
			}
		case r.Outcomes.OK > 100: // 5 connections, 15 rounds of 2 s
			t.Errorf("%s: %d of %d answered by 5 connections that are held for 2 s each", r.Name, r.Outcomes.OK, r.Requests)
		}
	}
}

// requireBouncer says loudly what a machine lacks.
func requireBouncer(t *testing.T) {
	t.Helper()
	b, err := pgtemp.StartBouncer(t.Context(), pgtemp.BouncerConfig{DSN: dsnOf(t), PoolSize: 1})
	var none *pgtemp.NoBouncerError
	if errors.As(err, &none) {
		t.Skipf("NOT TESTED: this machine has no PgBouncer (install the package pgbouncer): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
}
