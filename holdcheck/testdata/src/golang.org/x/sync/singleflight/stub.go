// Package singleflight is a stub.
package singleflight

type Group struct{ _ int }

func (g *Group) Do(key string, fn func() (any, error)) (v any, err error, shared bool) {
	v, err = fn()
	return v, err, false
}
