package grpchold_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/grpchold"
)

const service = "/grpc.testing.TestService/"

// connect starts a server that has gRPC's test service, and returns a connection to it,
// each with the interceptors of this package. Both end with the test, within its bubble.
func connect(t *testing.T, s testpb.TestServiceServer, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer(append(options,
		grpc.ChainUnaryInterceptor(grpchold.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(grpchold.StreamServerInterceptor))...)
	if s != nil {
		testpb.RegisterTestServiceServer(server, s)
	}
	go server.Serve(l)
	conn, err := grpc.NewClient("passthrough:///pay:443",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(grpchold.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(grpchold.StreamClientInterceptor))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
	})
	return conn
}

// server is a service whose methods take a connection, and what they return is err's, or
// its panic.
type server struct {
	testpb.UnimplementedTestServiceServer
	pool *pghold.Pool
	end  func() error
}

func (s *server) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	defer s.pool.Checkout(ctx).Release()
	return &testpb.SimpleResponse{Username: "ada"}, s.end()
}

func (s *server) FullDuplexCall(stream testpb.TestService_FullDuplexCallServer) error {
	defer s.pool.Checkout(stream.Context()).Release()
	if err := stream.Send(&testpb.StreamingOutputCallResponse{}); err != nil {
		return err
	}
	return s.end()
}

// serve calls both methods of a server and returns what was recorded of each, and its
// error.
func serve(t *testing.T, end func() error, options ...grpc.ServerOption) (series map[string]*pghold.Series, errs map[string]error) {
	t.Helper()
	recorder := pghold.NewRecorder(pghold.Config{})
	client := testpb.NewTestServiceClient(connect(t, &server{pool: recorder.Pool("main"), end: end}, options...))
	answer, unary := client.UnaryCall(t.Context(), &testpb.SimpleRequest{})
	if unary == nil && answer.Username != "ada" {
		t.Errorf("the answer is %v, want the handler's", answer)
	}
	stream, err := client.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a message, and the end
		_, err = stream.Recv()
	}
	series = map[string]*pghold.Series{}
	for _, s := range recorder.Snapshot().Series {
		series[s.Route] = s
	}
	return series, map[string]error{service + "UnaryCall": unary, service + "FullDuplexCall": err}
}

func TestServer_NamesTheRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		series, errs := serve(t, func() error { return nil })
		if len(series) != 2 {
			t.Errorf("%d routes are recorded, want 2", len(series))
		}
		for route, want := range map[string]error{service + "UnaryCall": nil, service + "FullDuplexCall": io.EOF} {
			s := series[route]
			if s == nil || s.Held.Count() != 1 || s.Panics != 0 {
				t.Errorf("%s: got %+v, want one hold", route, s)
			}
			if errs[route] != want {
				t.Errorf("%s: got the error %v, want %v", route, errs[route], want)
			}
		}
	})
}

func TestServer_PassesErrorsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, errs := serve(t, func() error { return status.Error(codes.NotFound, "nobody") })
		for route, err := range errs {
			if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "nobody" {
				t.Errorf("%s: got %v, want the handler's error", route, err)
			}
		}
	})
}

func TestServer_MarksPanics(t *testing.T) {
	recovered := func(err *error) {
		if v := recover(); v != nil {
			*err = status.Error(codes.Internal, v.(string))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		series, errs := serve(t, func() error { panic("handler") },
			grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
				defer recovered(&err)
				return next(ctx, req)
			}),
			grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
				defer recovered(&err)
				return next(srv, stream)
			}))
		for route, err := range errs {
			if s := status.Convert(err); s.Message() != "handler" {
				t.Errorf("%s: got %v, want the panic, where it was recovered from", route, err)
			}
			if s := series[route]; s == nil || s.Panics != 1 {
				t.Errorf("%s: got %+v, want one hold that is marked", route, s)
			}
		}
	})
}

// What an unknown method is called, the client says: that is no route, unless the handler
// makes it one.
func TestServer_UnknownMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := pghold.NewRecorder(pghold.Config{})
		conn := connect(t, nil, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			recorder.Pool("main").Checkout(stream.Context()).Release()
			pghold.SetRoute(stream.Context(), "proxy")
			recorder.Pool("main").Checkout(stream.Context()).Release()
			return stream.SendMsg(&testpb.SimpleResponse{})
		}))
		if err := conn.Invoke(t.Context(), "/anything/4711", &testpb.SimpleRequest{}, &testpb.SimpleResponse{}); err != nil {
			t.Fatal(err)
		}
		var routes []string
		for _, s := range recorder.Snapshot().Series {
			routes = append(routes, s.Route)
		}
		if len(routes) != 2 || !strings.Contains(strings.Join(routes, " "), grpchold.UnknownMethod) || !strings.Contains(strings.Join(routes, " "), "proxy") {
			t.Errorf("got the routes %q, want %q and what the handler named", routes, grpchold.UnknownMethod)
		}
	})
}

// slow is a service each of whose methods takes a minute.
type slow struct {
	testpb.UnimplementedTestServiceServer
	err error
}

func (s slow) UnaryCall(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	time.Sleep(time.Minute)
	return &testpb.SimpleResponse{}, s.err
}

func (s slow) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, stream testpb.TestService_StreamingOutputCallServer) error {
	stream.Send(&testpb.StreamingOutputCallResponse{})
	time.Sleep(time.Minute)
	return s.err
}

func (s slow) StreamingInputCall(stream testpb.TestService_StreamingInputCallServer) error {
	time.Sleep(time.Minute)
	if s.err != nil {
		return s.err
	}
	return stream.SendAndClose(&testpb.StreamingInputCallResponse{})
}

func (s slow) FullDuplexCall(stream testpb.TestService_FullDuplexCallServer) error {
	time.Sleep(time.Minute)
	return s.err
}

// inHold runs f with a hold open, which lasts an hour longer, and returns the hold.
func inHold(t *testing.T, f func(context.Context)) pghold.Hold {
	t.Helper()
	recorder := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := recorder.Pool("main").Checkout(ctx)
	f(ctx)
	time.Sleep(time.Hour)
	c.Release()
	return recorder.Snapshot().Series[0].Worst
}

// line is where it is called.
func line() (file string, line int) {
	_, file, line, _ = runtime.Caller(1)
	return path.Base(file), line
}

// A call lasts from its beginning to its end, whichever it is, and is told of at the line
// of who calls the generated client.
func TestClient_TellsOfTheSlowCall(t *testing.T) {
	var file string
	var number int
	for method, call := range map[string]func(context.Context, testpb.TestServiceClient) error{
		"UnaryCall": func(ctx context.Context, client testpb.TestServiceClient) error {
			file, number = line()
			_, err := client.UnaryCall(ctx, &testpb.SimpleRequest{})
			return err
		},
		"StreamingOutputCall": func(ctx context.Context, client testpb.TestServiceClient) error {
			file, number = line()
			stream, err := client.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{})
			for err == nil {
				_, err = stream.Recv()
			}
			if err == io.EOF {
				err = nil
			}
			return err
		},
		"StreamingInputCall": func(ctx context.Context, client testpb.TestServiceClient) error {
			file, number = line()
			stream, err := client.StreamingInputCall(ctx)
			if err != nil {
				return err
			}
			_, err = stream.CloseAndRecv()
			return err
		},
		"FullDuplexCall": func(ctx context.Context, client testpb.TestServiceClient) error {
			file, number = line()
			stream, err := client.FullDuplexCall(ctx)
			if err == nil {
				_, err = stream.Recv()
			}
			if err == io.EOF {
				err = nil
			}
			return err
		},
	} {
		for _, want := range []error{nil, status.Error(codes.NotFound, "nobody")} {
			synctest.Test(t, func(t *testing.T) {
				client := testpb.NewTestServiceClient(connect(t, slow{err: want}))
				h := inHold(t, func(ctx context.Context) {
					if err := call(ctx, client); status.Code(err) != status.Code(want) {
						t.Errorf("%s: got the error %v, want %v", method, err, want)
					}
				})
				if len(h.SlowCalls) != 1 {
					t.Fatalf("%s: got %+v, want one slow call", method, h.SlowCalls)
				}
				c := h.SlowCalls[0]
				if want := "gRPC pay:443" + service + method; c.What != want {
					t.Errorf("it is named %q, want %q", c.What, want)
				}
				if c.Duration != time.Minute || c.Open {
					t.Errorf("%s: it took %v, open %v, want a minute", method, c.Duration, c.Open)
				}
				if path.Base(c.Site.File) != file || c.Site.Line != number+1 {
					t.Errorf("%s: it is at %v, want %s:%d, the line of the application", method, c.Site, file, number+1)
				}
			})
		}
	}
}

// stream is an open stream that says what it is told to say.
type stream struct {
	grpc.ClientStream
	err error
}

func (s stream) SendMsg(any) error { return s.err }
func (s stream) RecvMsg(any) error { return s.err }

// A stream that nobody reads to its end lasts as long as its context, and no longer than
// what is sent fails.
func TestClient_AbandonedStream(t *testing.T) {
	for name, c := range map[string]struct {
		opens error // what opening it returns
		says  error
		use   func(stream grpc.ClientStream, cancel func())
		want  time.Duration
	}{
		"not opened":     {errors.New("no"), nil, func(grpc.ClientStream, func()) {}, 0},
		"of no interest": {nil, nil, func(grpc.ClientStream, func()) {}, time.Hour + time.Second},
		"used":           {nil, nil, func(s grpc.ClientStream, _ func()) { s.SendMsg(nil); s.RecvMsg(nil) }, time.Hour + time.Second},
		"cancelled":      {nil, nil, func(_ grpc.ClientStream, cancel func()) { cancel() }, time.Second},
		"broken":         {nil, io.EOF, func(s grpc.ClientStream, _ func()) { s.SendMsg(nil) }, time.Second},
		"at its end":     {nil, io.EOF, func(s grpc.ClientStream, _ func()) { s.RecvMsg(nil) }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inHold(t, func(ctx context.Context) {
					ctx, cancel := context.WithCancel(ctx)
					t.Cleanup(cancel) // the hold has been released then
					opened, err := grpchold.StreamClientInterceptor(ctx, &grpc.StreamDesc{ServerStreams: true}, nil, "/pay/Watch",
						func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
							if c.opens != nil {
								return nil, c.opens
							}
							return stream{err: c.says}, nil
						})
					if err != c.opens {
						t.Fatalf("got the error %v, want %v", err, c.opens)
					}
					if err != nil {
						return
					}
					time.Sleep(time.Second)
					c.use(opened, cancel)
					synctest.Wait()
				})
				if len(h.SlowCalls) != 1 || h.SlowCalls[0].What != "gRPC /pay/Watch" || h.SlowCalls[0].Duration != c.want {
					t.Errorf("got %+v, want one slow call of %v", h.SlowCalls, c.want)
				}
			})
		})
	}
}
