package connstring

import "testing"

func TestNamesUser(t *testing.T) {
	for s, want := range map[string]bool{
		"postgres://me@db.example/test": true, "postgresql://me:secret@db.example": true, "postgres://db.example/test?user=me": true,
		"host=db.example user=me": true, "user = me host=db.example": true,
		"": false, "postgres://db.example/test": false, "postgres://db.example:5432?sslmode=require": false, "host=db.example application_name=user": false,
		"postgres://:secret@db.example/test": false,
	} {
		if _, err := Parse(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if got := NamesUser(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
