package sqlhold

import "testing"

func TestEffectOf(t *testing.T) {
	for text, want := range map[string]effect{
		"BEGIN":                           begins,
		" /* app */ begin -- x\n; ":       begins,
		"begin work":                      begins,
		"begin isolation level read only": begins,
		"start transaction read only":     begins,
		"commit":                          ends,
		"COMMIT AND NO CHAIN;":            ends,
		"commit and chain":                none,
		"end":                             ends,
		"abort":                           ends,
		"rollback":                        ends,
		"rollback transaction":            ends,
		"rollback to savepoint a":         none,
		"rollback prepared 'x'":           none,
		"commit prepared 'x'":             none,
		"savepoint a":                     none,
		"begin; select 1; commit":         ends,
		"begin; select 1":                 begins,
		"begin atomic select 1; end":      none,
		"select 'begin'":                  none,
		"":                                none,
		";":                               none,
		"/* open":                         none,
		"beginning":                       none,
		"create function f() as $$ begin; end $$": none,
	} {
		if got := effectOf(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
