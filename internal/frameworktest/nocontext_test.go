package frameworktest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

// orders are handlers that pass no context on, of several routers.
type orders struct{ pool *pghold.Pool }

func (o orders) load() { o.pool.Checkout(context.Background()).Release() }

func (o orders) ofGin(*gin.Context)                       { o.load() }
func (o orders) ofEcho(echo.Context) error                { o.load(); return nil }
func (o orders) ofChi(http.ResponseWriter, *http.Request) { o.load() }
func passesOn(c *gin.Context)                             { c.Next() }
func passesOnEcho(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return next(c) }
}

// Where handlers pass no context on, they name the routes themselves.
func TestHandlersThatPassNoContextOn(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for want, router := range map[string]func(orders) http.Handler{
		"frameworktest.orders.ofGin": func(o orders) http.Handler {
			r := gin.New()
			r.Use(passesOn)
			r.GET("/orders/:id", o.ofGin)
			return r
		},
		"frameworktest.orders.ofEcho": func(o orders) http.Handler {
			r := echo.New()
			r.Use(passesOnEcho)
			r.GET("/orders/:id", o.ofEcho)
			return r
		},
		"frameworktest.orders.ofChi": func(o orders) http.Handler {
			r := chi.NewRouter()
			r.Get("/orders/{id}", o.ofChi)
			return r
		},
	} {
		recorder := pghold.NewRecorder(pghold.Config{})
		h := httphold.Middleware(router(orders{recorder.Pool("main")}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/orders/7", nil))
		series := recorder.Snapshot().Series
		if len(series) != 1 || !strings.HasSuffix(series[0].Route, want) {
			t.Errorf("the series are %+v, want the route %s", series, want)
		}
	}
}
