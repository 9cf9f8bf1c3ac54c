package clienttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/pghold/pghold"
)

// recipe: aws
// slowCalls tells of each call of an AWS client, and of an object until it has been read
// or closed.
func slowCalls(stack *middleware.Stack) error {
	if _, sent := stack.Finalize.Get("Retry"); !sent { // a URL is signed, for somebody else to call
		return nil
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("slow call", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		call := pghold.StartSlowCall(ctx, middleware.GetServiceID(ctx)+" "+middleware.GetOperationName(ctx))
		out, metadata, err := next.HandleInitialize(ctx, in)
		if object, ok := out.Result.(*s3.GetObjectOutput); ok && err == nil {
			object.Body = &slowBody{object.Body, call}
		} else {
			call.End()
		}
		return out, metadata, err
	}), middleware.Before)
}

// slowBody ends its call when it has been read or closed.
type slowBody struct {
	io.ReadCloser
	call pghold.Call
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.call.End()
	}
	return n, err
}

func (b *slowBody) Close() error {
	b.call.End()
	return b.ReadCloser.Close()
}

// end

func TestAWS(t *testing.T) {
	read := make(chan struct{}, 1) // for each answer, when the rest of it may be sent
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "GET":
			io.WriteString(w, "half of it, ")
			w.(http.Flusher).Flush()
			<-read
			io.WriteString(w, "and the rest")
		case "POST":
			io.WriteString(w, "<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>")
		}
	})
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &url, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
	})}
	// recipe: aws config
	recorder := pghold.NewRecorder(pghold.Config{Skip: []string{"github.com/pghold/pghold/internal/clienttest.slowCalls"}})
	cfg.APIOptions = append(cfg.APIOptions, slowCalls)
	client := s3.NewFromConfig(cfg)
	// end
	if _, own := client.Options().HTTPClient.(*awshttp.BuildableClient); !own {
		t.Errorf("requests are made by %T, want the SDK's own client, with its time-outs", client.Options().HTTPClient)
	}
	files := &s3Files{s3.New(client.Options(), func(o *s3.Options) {
		o.UsePathStyle = true
		o.DisableLogOutputChecksumValidationSkipped = true
	}), read}

	testSlowCalls(t, recorder, "get", files.get, "S3 GetObject in (*s3Files).get")
	testSlowCalls(t, recorder, "look", files.look, "S3 GetObject in (*s3Files).look")
	testSlowCalls(t, recorder, "remove", files.remove, "S3 DeleteObject in (*s3Files).remove")
	who := &stsCaller{sts.NewFromConfig(cfg)}
	testSlowCalls(t, recorder, "who", who.ask, "STS GetCallerIdentity in (*stsCaller).ask")
	testSlowCalls(t, recorder, "sign", files.sign)

	// An object that is being read is a slow call that goes on.
	ctx := pghold.WithRoute(t.Context(), "GET /files")
	hold := recorder.Pool("main").Checkout(ctx)
	body, err := files.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	open := func() bool {
		calls := recorder.Snapshot().Open[0].SlowCalls
		return len(calls) == 1 && calls[0].Open
	}
	if !open() {
		t.Error("the call has ended before its object was read")
	}
	read <- struct{}{}
	if text, err := io.ReadAll(body); err != nil || string(text) != "half of it, and the rest" || open() {
		t.Errorf("read %q, %v; the call goes on: %v", text, err, open())
	}
	hold.Release()
}

type s3Files struct {
	client *s3.Client
	read   chan<- struct{}
}

func (f *s3Files) open(ctx context.Context) (io.ReadCloser, error) {
	object, err := f.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("secret.pdf")})
	if err != nil {
		return nil, err
	}
	return object.Body, nil
}

func (f *s3Files) get(ctx context.Context) error {
	f.read <- struct{}{}
	object, err := f.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("secret.pdf")})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, object.Body)
	return err
}

// look closes an object that it has not read.
func (f *s3Files) look(ctx context.Context) error {
	f.read <- struct{}{}
	object, err := f.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("secret.pdf")})
	if err != nil {
		return err
	}
	return object.Body.Close()
}

func (f *s3Files) remove(ctx context.Context) error {
	_, err := f.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String("secret.pdf")})
	return err
}

// sign calls nobody.
func (f *s3Files) sign(ctx context.Context) error {
	signed, err := s3.NewPresignClient(f.client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("secret.pdf")})
	if err == nil && signed.URL == "" {
		err = errors.New("no URL")
	}
	return err
}

type stsCaller struct{ client *sts.Client }

func (c *stsCaller) ask(ctx context.Context) error {
	_, err := c.client.GetCallerIdentity(ctx, nil)
	return err
}
