package catalog

import (
	"testing"

	"golang.org/x/tools/go/packages"
)

func TestIsStd(t *testing.T) {
	if !testing.Short() {
		std, err := packages.Load(&packages.Config{Mode: packages.NeedName}, "std")
		if err != nil || len(std) < 100 {
			t.Fatalf("%d packages, error %v", len(std), err)
		}
		for _, p := range std {
			if !IsStd(p.PkgPath) {
				t.Errorf("%s is of the standard library", p.PkgPath)
			}
		}
	}
	for _, path := range []string{"flow", "libs", "entapp/ent", "networking", "main", "cmdline", "example.com/net/http", "golang.org/x/net", ""} {
		if IsStd(path) {
			t.Errorf("%q is not of the standard library", path)
		}
	}
}

func TestCuratedAndDriver(t *testing.T) {
	for path, want := range map[string]struct{ curated, driver bool }{
		"database/sql":                                 {true, true},
		"database/sql/driver":                          {true, true},
		"net/http":                                     {true, false},
		"github.com/jackc/pgx/v5/pgxpool":              {true, true},
		"github.com/jackc/pgx/v4":                      {true, true},
		"github.com/lib/pq":                            {true, true},
		"github.com/uptrace/bun/dialect/pgdialect":     {true, true},
		"gorm.io/driver/postgres":                      {true, true},
		"modernc.org/sqlite":                           {true, true},
		"entgo.io/ent/dialect/sql":                     {true, true},
		"github.com/gobuffalo/pop/v6":                  {true, true},
		"github.com/aws/aws-sdk-go-v2/service/s3":      {true, false},
		"github.com/stripe/stripe-go/v83/subscription": {true, false},
		"google.golang.org/grpc":                       {true, false},
		"go.uber.org/zap":                              {true, false},
		"github.com/labstack/echo/v4":                  {true, false},
		"go.opentelemetry.io/otel/trace":               {true, false},
		"github.com/stretchr/testify/require":          {true, false},
		"github.com/pghold/pghold/session":             {false, false},
		"github.com/lib/pquery":                        {false, false},
		"github.com/jackcx/pgx":                        {false, false},
		"github.com/slack-go/slack":                    {false, false},
		"github.com/gobuffalo/envy":                    {false, false},
		"modernc.org/libc":                             {false, false},
		"app/net/http":                                 {false, false},
	} {
		if got := Curated(path); got != want.curated {
			t.Errorf("curated(%s) = %t", path, got)
		}
		if got := Driver(path); got != want.driver {
			t.Errorf("driver(%s) = %t", path, got)
		}
	}
}
