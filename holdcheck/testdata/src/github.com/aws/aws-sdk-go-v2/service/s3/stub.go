// Package s3 is a stub: signatures only.
package s3

import "context"

type Options struct{ Region string }

type Client struct{ o Options }

func New(o Options) *Client { return &Client{o} }

type PutObjectInput struct{ Bucket, Key *string }

type PutObjectOutput struct{ ETag *string }

func (c *Client) PutObject(ctx context.Context, in *PutObjectInput, fns ...func(*Options)) (*PutObjectOutput, error) {
	return nil, nil
}
func (c *Client) Options() Options { return c.o }
