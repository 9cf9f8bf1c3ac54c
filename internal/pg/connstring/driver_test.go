package connstring

import "testing"

func TestWithoutDriver(t *testing.T) {
	for s, want := range map[string]string{
		"postgresql+psycopg2://me:a+b://c@db.example/test": "postgresql://me:a+b://c@db.example/test",
		"postgresql+asyncpg://db.example/test":             "postgresql://db.example/test",
		"postgres+pg8000://db.example":                     "postgresql://db.example",
		"postgres://me:x+y@db.example":                     "postgres://me:x+y@db.example",
		"host=db password=postgresql+x://":                 "host=db password=postgresql+x://",
		"mysql+pymysql://db.example":                       "mysql+pymysql://db.example",
		"postgresql+://db.example":                         "postgresql+://db.example",
	} {
		if got := WithoutDriver(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
