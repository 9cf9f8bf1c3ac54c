package frameworktest

import (
	"context"
	"io"
	"net"
	"path"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/grpchold"
	"github.com/pghold/pghold/holdtest"
)

// cart is a service each of whose methods calls another service: the bad ones with a
// connection, the good ones have released it before.
type cart struct {
	UnimplementedCartServer
	pool    *pghold.Pool
	charges ChargesClient
}

func (c *cart) Bad(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	defer c.pool.Checkout(ctx).Release()
	return c.charge(ctx)
}

func (c *cart) Good(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	c.pool.Checkout(ctx).Release()
	return c.charge(ctx)
}

func (c *cart) BadStream(_ *emptypb.Empty, stream grpc.ServerStreamingServer[wrapperspb.StringValue]) error {
	defer c.pool.Checkout(stream.Context()).Release()
	return c.watch(stream)
}

func (c *cart) GoodStream(_ *emptypb.Empty, stream grpc.ServerStreamingServer[wrapperspb.StringValue]) error {
	c.pool.Checkout(stream.Context()).Release()
	return c.watch(stream)
}

func (c *cart) charge(ctx context.Context) (*emptypb.Empty, error) {
	return c.charges.Create(ctx, &emptypb.Empty{})
}

func (c *cart) watch(stream grpc.ServerStreamingServer[wrapperspb.StringValue]) error {
	charges, err := c.charges.Watch(stream.Context(), &emptypb.Empty{})
	if err != nil {
		return err
	}
	for {
		m, err := charges.Recv()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = stream.Send(m)
		}
		if err != nil {
			return err
		}
	}
}

// charges is the other service.
type charges struct{ UnimplementedChargesServer }

func (charges) Create(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (charges) Watch(_ *emptypb.Empty, stream grpc.ServerStreamingServer[wrapperspb.StringValue]) error {
	return stream.Send(wrapperspb.String("paid"))
}

// dial connects with a server.
func dial(target string) (*grpc.ClientConn, error) {
	credentials := insecure.NewCredentials()
	// recipe: gRPC client
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(credentials),
		grpc.WithChainUnaryInterceptor(grpchold.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(grpchold.StreamClientInterceptor),
	)
	// end
	return conn, err
}

// serveGRPC starts a server of both services, which calls itself, and returns its
// address and a client.
func serveGRPC(t *testing.T, pool *pghold.Pool) (addr string, client CartClient) {
	t.Helper()
	// recipe: gRPC server
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(grpchold.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(grpchold.StreamServerInterceptor),
	)
	// end
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial("dns:///" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	RegisterCartServer(server, &cart{pool: pool, charges: NewChargesClient(conn)})
	RegisterChargesServer(server, charges{})
	go server.Serve(l)
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
	})
	return l.Addr().String(), NewCartClient(conn)
}

func TestGRPC(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	addr, client := serveGRPC(t, r.Pool("main"))
	ask := func(unary func(context.Context, *emptypb.Empty, ...grpc.CallOption) (*emptypb.Empty, error),
		stream func(context.Context, *emptypb.Empty, ...grpc.CallOption) (grpc.ServerStreamingClient[wrapperspb.StringValue], error)) {
		t.Helper()
		if _, err := unary(t.Context(), &emptypb.Empty{}); err != nil {
			t.Fatal(err)
		}
		messages, err := stream(t.Context(), &emptypb.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := messages.Recv()
		if _, end := messages.Recv(); err != nil || m.Value != "paid" || end != io.EOF {
			t.Errorf("got %v, %v, and then %v, want one message", m, err, end)
		}
	}
	looked := &told{TB: t}
	ask(client.Good, client.GoodStream)
	if holdtest.Fail(looked, r, holdtest.Rules{MaxGap: time.Hour}); len(looked.errors) != 0 {
		t.Errorf("the good handlers fail: %q", looked.errors)
	}
	ask(client.Bad, client.BadStream)
	if holdtest.Fail(looked, r, holdtest.Rules{MaxGap: time.Hour}); len(looked.errors) != 2 {
		t.Errorf("got %q, want that both bad handlers fail", looked.errors)
	}
	all := r.Snapshot().Series
	for _, series := range all {
		want, ok := map[string]string{
			"/shop.Cart/Good": "", "/shop.Cart/Bad": "gRPC " + addr + "/shop.Charges/Create",
			"/shop.Cart/GoodStream": "", "/shop.Cart/BadStream": "gRPC " + addr + "/shop.Charges/Watch",
		}[series.Route]
		if !ok || series.Held.Count() != 1 || (want == "") != (len(series.SlowCalls) == 0) {
			t.Errorf("%q has %d holds and the calls %+v, want one, and the call %q", series.Route, series.Held.Count(), series.SlowCalls, want)
		}
		for _, call := range series.SlowCalls {
			if call.What != want || path.Base(call.Site.File) != "grpc_test.go" {
				t.Errorf("%s calls %q at %v, want %q at the line that calls the generated client", series.Route, call.What, call.Site, want)
			}
		}
	}
	if len(all) != 4 {
		t.Errorf("there are %d series, want 4", len(all))
	}
}
