package grpchold

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	"github.com/pghold/pghold"
)

// UnaryClientInterceptor tells of each call as a slow call of the holds that are open in
// its context, until its answer is there. What the interceptors after it do is part of
// the call: retries, for one.
func UnaryClientInterceptor(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	call := pghold.StartSlowCall(ctx, name(cc, method))
	defer call.End()
	return invoker(ctx, method, req, reply, cc, opts...)
}

// StreamClientInterceptor tells of each stream as a slow call of the holds that are open
// in its context, from its opening to its end: until it returns an error, which io.EOF
// is, or its only message, where the server sends one. A stream that nobody reads to its
// end lasts until its context ends, as gRPC has it.
func StreamClientInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	call := pghold.StartSlowCall(ctx, name(cc, method))
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		call.End()
		return nil, err
	}
	stop := context.AfterFunc(ctx, call.End)
	return &clientStream{stream, !desc.ServerStreams, func() { stop(); call.End() }}, nil
}

// clientStream is a stream that ends its call.
type clientStream struct {
	grpc.ClientStream
	single bool // the server sends one message
	end    func()
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil || s.single {
		s.end()
	}
	return err
}

func (s *clientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err != nil {
		s.end()
	}
	return err
}

// name is the name of a slow call.
func name(cc *grpc.ClientConn, method string) string {
	if cc == nil { // of a test, or of a channel that is not gRPC's own
		return "gRPC " + method
	}
	return "gRPC " + endpoint(cc.Target()) + method
}

// endpoint is what a target names: "pay:443" of "dns://8.8.8.8/pay:443". Before and
// behind it resolvers may have passwords: consul://user:password@host/pay?token=secret.
func endpoint(target string) string {
	if _, rest, ok := strings.Cut(target, "://"); ok {
		_, target, _ = strings.Cut(rest, "/")
	}
	target, _, _ = strings.Cut(target, "?")
	return target
}
