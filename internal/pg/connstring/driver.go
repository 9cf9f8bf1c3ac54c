package connstring

import "regexp"

var withDriver = regexp.MustCompile(`^postgres(ql)?\+[A-Za-z0-9_]+://`)

// WithoutDriver is a URL as libpq has it, of one as SQLAlchemy has it, which names a driver:
// postgresql+psycopg2://db.example is postgresql://db.example. Others stay as they are.
func WithoutDriver(s string) string { return withDriver.ReplaceAllString(s, "postgresql://") }
