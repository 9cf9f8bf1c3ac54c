// Package grpc is a stub: signatures only.
package grpc

import "context"

type CallOption interface{ before() error }

type StreamDesc struct{ StreamName string }

type ClientStream interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

type ClientConnInterface interface {
	Invoke(ctx context.Context, method string, args, reply any, opts ...CallOption) error
	NewStream(ctx context.Context, desc *StreamDesc, method string, opts ...CallOption) (ClientStream, error)
}

type ClientConn struct{ target string }

func NewClient(target string) (*ClientConn, error) { return &ClientConn{target}, nil }

func (c *ClientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...CallOption) error {
	return nil
}
func (c *ClientConn) NewStream(ctx context.Context, desc *StreamDesc, method string, opts ...CallOption) (ClientStream, error) {
	return nil, nil
}
func (c *ClientConn) Target() string { return c.target }
