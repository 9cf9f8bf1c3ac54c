// Package web is a small framework.
package web

import (
	"net/http"

	"fider/dbx"
)

// Context is one request.
type Context struct {
	Request  *http.Request
	Response http.ResponseWriter
	Trx      *dbx.Trx

	tasks []func() error
}

// Enqueue keeps a task until the request's transaction is committed.
func (c *Context) Enqueue(task func() error) { c.tasks = append(c.tasks, task) }

// Commit commits, and starts what was enqueued.
func (c *Context) Commit() error {
	if c.Trx != nil {
		if err := c.Trx.Commit(); err != nil {
			return err
		}
	}
	for _, task := range c.tasks {
		go task()
	}
	return nil
}

type HandlerFunc func(c *Context) error

type MiddlewareFunc func(next HandlerFunc) HandlerFunc

type Engine struct {
	mux        *http.ServeMux
	middleware []MiddlewareFunc
}

func New() *Engine { return &Engine{mux: http.NewServeMux()} }

func (e *Engine) Use(m MiddlewareFunc) { e.middleware = append(e.middleware, m) }

func (e *Engine) Handle(path string, h HandlerFunc) {
	next := h
	for i := len(e.middleware) - 1; i >= 0; i-- {
		next = e.middleware[i](next)
	}
	e.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if err := next(&Context{Request: r, Response: w}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, r) }
