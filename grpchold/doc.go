// Package grpchold connects a pghold.Recorder with gRPC: server interceptors name the
// route of the holds that a handler has, and client interceptors tell of the calls that
// it makes meanwhile.
//
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(grpchold.UnaryServerInterceptor),
//		grpc.ChainStreamInterceptor(grpchold.StreamServerInterceptor))
//
//	conn, err := grpc.NewClient("dns:///pay.example.com:443",
//		grpc.WithChainUnaryInterceptor(grpchold.UnaryClientInterceptor),
//		grpc.WithChainStreamInterceptor(grpchold.StreamClientInterceptor))
//
// A route is the full method as gRPC has it, "/shop.Cart/Checkout". A slow call is named
// by the target that the connection was made with and the full method, "gRPC
// pay.example.com:443/pay.Charges/Create". Its line is that of who calls the generated
// client, for files whose names end in .pb.go are not taken for the application's.
//
// The context connects the two, so pass it on: the one that a handler is given, or that
// its stream has, is the one for calls and for connections of the database.
//
// # What it does not do
//
// It records no connection: pgxhold or sqlhold do that. It keeps and reads no message,
// no metadata and no status.
//
// Connect's clients and servers are on net/http and run none of these interceptors:
// httphold is for them.
package grpchold
