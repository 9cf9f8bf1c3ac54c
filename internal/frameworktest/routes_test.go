// Package frameworktest holds the recipes for other people's routers, RPCs and jobs to
// these: docs/recipes.md quotes them. It has no code of its own but for a generated stub.
package frameworktest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"
	"github.com/labstack/echo/v4"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
	"github.com/pghold/pghold/httphold"
)

// service is what the handlers of all routers do: bad calls an API with a connection,
// good has released it before.
type service struct {
	pool   *pghold.Pool
	client *http.Client
	api    string
}

func (s *service) bad(ctx context.Context) {
	c := s.pool.Checkout(ctx)
	defer c.Release()
	s.call(ctx)
}

func (s *service) good(ctx context.Context) {
	s.pool.Checkout(ctx).Release()
	s.call(ctx)
}

func (s *service) call(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, "GET", s.api+"/slow", nil)
	if err != nil {
		panic(err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		panic(err)
	}
	res.Body.Close()
}

// signedIn is a middleware in front of the router, which takes a connection before the
// request has a route.
func (s *service) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pool.Checkout(r.Context()).Release()
		next.ServeHTTP(w, r)
	})
}

// routers are services with GET /api/users/{id}/bad and /good, and the same with DELETE,
// in a group or a router within the router.
var routers = map[string]struct {
	serve func(*service) http.Handler
	want  string // the route of /api/users/7/bad
}{
	"gin": {func(s *service) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		router := gin.New()
		router.ContextWithFallback = true // for handlers that pass c on as a context
		// recipe: gin
		router.Use(func(c *gin.Context) {
			if path := c.FullPath(); path != "" {
				pghold.SetRoute(c.Request.Context(), c.Request.Method+" "+path)
			}
			c.Next()
		})
		// end
		users := router.Group("/api").Group("/users/:id")
		router.NoRoute(func(c *gin.Context) { s.good(c.Request.Context()) })
		users.Any("/bad", func(c *gin.Context) { s.bad(c) })
		users.Any("/good", func(c *gin.Context) { s.good(c.Request.Context()) })
		return httphold.Middleware(s.signedIn(router))
	}, "GET /api/users/:id/bad"},

	"echo": {func(s *service) http.Handler {
		router := echo.New()
		// recipe: echo
		router.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				if path := c.Path(); path != "" {
					pghold.SetRoute(c.Request().Context(), c.Request().Method+" "+path)
				}
				return next(c)
			}
		})
		// end
		router.HTTPErrorHandler = func(_ error, c echo.Context) { s.good(c.Request().Context()) }
		users := router.Group("/api").Group("/users/:id")
		users.Any("/bad", func(c echo.Context) error { s.bad(c.Request().Context()); return nil })
		users.Any("/good", func(c echo.Context) error { s.good(c.Request().Context()); return nil })
		return httphold.Middleware(s.signedIn(router))
	}, "GET /api/users/:id/bad"},

	"chi": {func(s *service) http.Handler {
		router := chi.NewRouter()
		// recipe: chi
		router.Use(httphold.Options{Route: func(r *http.Request) string {
			if pattern := chi.RouteContext(r.Context()).RoutePattern(); pattern != "" {
				return r.Method + " " + pattern
			}
			return ""
		}}.Middleware)
		// end
		router.Use(s.signedIn)
		router.Route("/api", func(r chi.Router) {
			users := chi.NewRouter()
			users.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) { s.bad(r.Context()) })
			users.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) { s.good(r.Context()) })
			r.Mount("/users/{id}", users)
		})
		return router
	}, "GET /api/users/{id}/bad"},

	"httprouter": {func(s *service) http.Handler {
		router := httprouter.New()
		// recipe: httprouter
		handle := func(method, path string, handle httprouter.Handle) {
			router.Handle(method, path, func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
				pghold.SetRoute(r.Context(), method+" "+path)
				handle(w, r, p)
			})
		}
		// end
		for _, method := range []string{"GET", "DELETE"} {
			handle(method, "/api/users/:id/bad", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { s.bad(r.Context()) })
			handle(method, "/api/users/:id/good", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { s.good(r.Context()) })
		}
		return httphold.Middleware(s.signedIn(router))
	}, "GET /api/users/:id/bad"},

	"gorilla": {func(s *service) http.Handler {
		router := mux.NewRouter()
		// recipe: gorilla
		router.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if path, err := mux.CurrentRoute(r).GetPathTemplate(); err == nil {
					pghold.SetRoute(r.Context(), r.Method+" "+path)
				}
				next.ServeHTTP(w, r)
			})
		})
		// end
		users := router.PathPrefix("/api").Subrouter().PathPrefix("/users/{id}").Subrouter()
		users.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) { s.bad(r.Context()) })
		users.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) { s.good(r.Context()) })
		return httphold.Middleware(s.signedIn(router))
	}, "GET /api/users/{id}/bad"},

	"fiber": {func(s *service) http.Handler {
		router := fiber.New()
		// recipe: fiber
		router.Use(func(c *fiber.Ctx) (err error) {
			outer := c.Route()
			route := func() string {
				if c.Route() == outer { // nobody's yet
					return httphold.NoPattern
				}
				return strings.Clone(c.Method() + " " + c.Route().Path) // what fiber returns is the request's alone
			}
			pghold.DoFunc(c.UserContext(), route, func(ctx context.Context) {
				c.SetUserContext(ctx)
				err = c.Next()
				pghold.SetRoute(ctx, route()) // for goroutines that go on: c is another request's then
			})
			return err
		})
		// end
		router.Use(func(c *fiber.Ctx) error {
			s.pool.Checkout(c.UserContext()).Release()
			return c.Next()
		})
		users := router.Group("/api").Group("/users/:id")
		users.All("/bad", func(c *fiber.Ctx) error { s.bad(c.UserContext()); return nil })
		users.All("/good", func(c *fiber.Ctx) error { s.good(c.UserContext()); return nil })
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := router.Test(r, -1); err != nil {
				panic(err)
			}
		})
	}, "GET /api/users/:id/bad"},
}

// told is a test that is failed, and goes on.
type told struct {
	testing.TB
	errors []string
}

func (t *told) Helper()             {}
func (t *told) Logf(string, ...any) {}
func (t *told) Error(args ...any)   { t.errors = append(t.errors, args[0].(string)) }
func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, format)
}

func TestRouters(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "slow") }))
	defer api.Close()
	for name, c := range routers {
		t.Run(name, func(t *testing.T) {
			r := pghold.NewRecorder(pghold.Config{})
			s := &service{r.Pool("main"), &http.Client{Transport: httphold.Transport(nil, "GET /slow")}, api.URL}
			handler := c.serve(s)
			ask := func(method, path string) {
				req := httptest.NewRequest(method, path, nil)
				req.RequestURI = path
				handler.ServeHTTP(httptest.NewRecorder(), req)
			}
			ask("GET", "/api/users/7/good")
			looked := &told{TB: t}
			if holdtest.Fail(looked, r, holdtest.Rules{MaxGap: time.Hour}); len(looked.errors) != 0 {
				t.Errorf("the good handler fails: %q", looked.errors)
			}
			ask("GET", "/api/users/7/bad")
			ask("DELETE", "/api/users/8/bad")
			if holdtest.Fail(looked, r, holdtest.Rules{MaxGap: time.Hour}); len(looked.errors) == 0 {
				t.Error("the bad handler does not fail")
			}
			calls := map[string]string{}
			holds := map[string]uint64{}
			for _, series := range r.Snapshot().Series {
				holds[series.Route] += series.Held.Count()
				for _, call := range series.SlowCalls {
					calls[series.Route] = call.What
				}
			}
			wantCall := "GET " + strings.TrimPrefix(api.URL, "http://") + "/slow"
			for _, route := range []string{c.want, strings.Replace(c.want, "GET", "DELETE", 1)} {
				if holds[route] != 1 || calls[route] != wantCall {
					t.Errorf("%s has %d holds and the slow call %q, want 1 and %q; there are %v", route, holds[route], calls[route], wantCall, holds)
				}
			}
			good := strings.Replace(c.want, "/bad", "/good", 1)
			if holds[good] != 1 || calls[good] != "" || holds[httphold.NoPattern] != 3 || len(holds) != 4 {
				t.Errorf("got the holds %v and the calls %v, want one of %s without a call, and 3 of the middleware before there is a route", holds, calls, good)
			}
			ask("BREW", "/nope") // a route of its own for each such method would be one too many
			for _, series := range r.Snapshot().Series {
				if strings.HasPrefix(series.Route, "BREW") {
					t.Errorf("what no route is for has the route %q", series.Route)
				}
			}
		})
	}
}

// recipe is one in a file of this folder, and its indentation.
var recipe = regexp.MustCompile(`(?s)\n(\t+)// recipe: ([^\n]+)\n(.*?)\n\t+// end\n`)

// docs/recipes.md has the recipes as they are here.
func TestRecipes_AreInTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	recipes := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range recipe.FindAllStringSubmatch(string(source), -1) {
			indent, name, code := m[1], m[2], m[3]
			code = strings.ReplaceAll("\n"+code, "\n"+indent, "\n")
			if recipes++; !strings.Contains(string(doc), "```go"+code+"\n```\n") {
				t.Errorf("docs/recipes.md has another recipe for %s than this:%s", name, code)
			}
		}
	}
	if want := len(routers) + len([]string{"gRPC server", "gRPC client", "river", "river start"}); recipes != want {
		t.Errorf("there are %d recipes, want %d", recipes, want)
	}
}
