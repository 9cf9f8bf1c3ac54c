// Package echo is a stub: signatures only.
package echo

import (
	"encoding/json"
	"net/http"
)

type Context interface {
	JSON(code int, v any) error
	Param(name string) string
	Request() *http.Request
}

type context struct {
	w http.ResponseWriter
	r *http.Request
}

func New(w http.ResponseWriter, r *http.Request) Context { return &context{w, r} }

func (c *context) JSON(code int, v any) error {
	c.w.WriteHeader(code)
	return json.NewEncoder(c.w).Encode(v)
}
func (c *context) Param(name string) string { return c.r.FormValue(name) }
func (c *context) Request() *http.Request   { return c.r }
