// Package lib stands for a library that the tables know nothing of.
package lib

import "net/http"

// Loader has a slow implementation and one that is not: which one it is is the
// caller's choice.
type Loader interface{ Load() error }

type web struct{ url string }

func (w web) Load() error { _, err := http.Get(w.url); return err }

type text struct{}

func (text) Load() error { return nil }

func Web(url string) Loader { return web{url} }

func Text() Loader { return text{} }

// Validate loads what it is given.
func Validate(l Loader) error { return l.Load() }

// Sender has one implementation.
type Sender interface{ Send() error }

type remote struct{ url string }

func (r *remote) Send() error { _, err := http.Post(r.url, "", nil); return err }

func New(url string) Sender { return &remote{url} }
