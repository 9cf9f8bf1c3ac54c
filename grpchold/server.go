package grpchold

import (
	"context"

	"google.golang.org/grpc"

	"github.com/pghold/pghold"
)

// UnknownMethod is the route of what a grpc.UnknownServiceHandler serves: there the
// client says what the method is called. A handler that knows better names it with
// pghold.SetRoute.
const UnknownMethod = "(unknown method)"

// UnaryServerInterceptor runs the handler, and the interceptors after it, within
// [pghold.Do], whose route is the full method.
//
// Where the handler panics, its last hold and those that it left open are marked; the
// panic goes on. An interceptor that recovers from panics comes before this one, or none
// is seen.
func UnaryServerInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	pghold.Do(ctx, info.FullMethod, func(ctx context.Context) { resp, err = handler(ctx, req) })
	return resp, err
}

// StreamServerInterceptor does for streams what [UnaryServerInterceptor] does for single
// messages.
func StreamServerInterceptor(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	route := info.FullMethod
	if srv == nil {
		route = UnknownMethod
	}
	pghold.Do(stream.Context(), route, func(ctx context.Context) { err = handler(srv, serverStream{stream, ctx}) })
	return err
}

// serverStream is a stream with the context of its route.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s serverStream) Context() context.Context { return s.ctx }
