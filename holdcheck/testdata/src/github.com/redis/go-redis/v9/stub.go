// Package redis is a stub: signatures only.
package redis

import (
	"context"
	"time"
)

type StatusCmd struct{ err error }

func (c *StatusCmd) Err() error { return c.err }

type StringCmd struct{ err error }

func (c *StringCmd) Result() (string, error) { return "", c.err }

type cmdable func(ctx context.Context) error

func (c cmdable) Set(ctx context.Context, key string, v any, ttl time.Duration) *StatusCmd {
	return &StatusCmd{c(ctx)}
}
func (c cmdable) Get(ctx context.Context, key string) *StringCmd { return &StringCmd{c(ctx)} }

type Options struct{ Addr string }

type Client struct {
	cmdable
	o *Options
}

func NewClient(o *Options) *Client {
	c := &Client{o: o}
	c.cmdable = c.process
	return c
}

func (c *Client) process(ctx context.Context) error { return nil }
func (c *Client) Options() *Options                 { return c.o }
