package catalog

import "testing"

func TestSinks_SpareWhatOnlyPrepares(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	for _, name := range []string{
		"net/http.NewRequest", "net/http.NewRequestWithContext", "(*net/http.Client).CloseIdleConnections",
		"os/exec.Command", "os/exec.CommandContext", "(*os/exec.Cmd).Start", "(*os/exec.Cmd).StdoutPipe",
		"net.ParseIP", "net.JoinHostPort", "net.SplitHostPort", "net/smtp.PlainAuth", "time.Now", "time.NewTimer",
		"net/http/httputil.NewSingleHostReverseProxy", "(*sync.Mutex).TryLock", "(*sync.Mutex).Unlock",
		"(*sync.WaitGroup).Add", "(*sync.WaitGroup).Done", "os.Getenv", "(*os.File).Name", "(net/http.ResponseWriter).Header",
		"(*database/sql.DB).Query", "(*database/sql.Tx).Commit", "fmt.Println", "io.ReadAll",
	} {
		fn := standardFunc(t, name)
		if fn == nil {
			// Its package is in no table.
			continue
		}
		if s, ok := slowCall(fn); ok {
			t.Errorf("%s is slow: %v", name, s)
		}
	}
}

func TestSlowCall_Rules(t *testing.T) {
	w := newWorld(t)
	for _, p := range []struct {
		path, source string
		want         Cost
		slow, fast   []string
	}{{
		"github.com/aws/aws-sdk-go-v2/service/s3",
		`package s3
		import "context"
		type Options struct{}
		type Client struct{}
		type PutObjectInput struct{}
		func New(Options, ...func(*Options)) *Client
		func (*Client) Options() Options
		func (*Client) PutObject(context.Context, *PutObjectInput, ...func(*Options)) (int, error)
		type ListPaginator struct{}
		func (*ListPaginator) HasMorePages() bool
		func (*ListPaginator) NextPage(context.Context, ...func(*Options)) (int, error)
		type PresignClient struct{}
		func (*PresignClient) PresignPutObject(context.Context, *PutObjectInput) (int, error)`,
		slowCloud,
		[]string{"(*Client).PutObject", "(*ListPaginator).NextPage"},
		[]string{"New", "(*Client).Options", "(*ListPaginator).HasMorePages", "(*PresignClient).PresignPutObject"},
	}, {
		"github.com/aws/aws-sdk-go/service/s3",
		`package s3
		import "context"
		type S3 struct{}
		type GetObjectInput struct{}
		func New() *S3
		func (*GetObjectInput) Validate() error
		func (*S3) GetObject(*GetObjectInput) (int, error)
		func (*S3) GetObjectWithContext(context.Context, *GetObjectInput) (int, error)
		func (*S3) GetObjectRequest(*GetObjectInput) (int, int)
		func (*S3) ListPages(*GetObjectInput, func() bool) error`,
		slowCloud,
		[]string{"(*S3).GetObject", "(*S3).GetObjectWithContext", "(*S3).ListPages"},
		[]string{"New", "(*GetObjectInput).Validate", "(*S3).GetObjectRequest"},
	}, {
		"google.golang.org/api/drive/v3",
		`package drive
		type FilesService struct{}
		type FilesListCall struct{}
		func (*FilesService) List() *FilesListCall
		func (*FilesListCall) Q(string) *FilesListCall
		func (*FilesListCall) Do() (int, error)`,
		slowCloud,
		[]string{"(*FilesListCall).Do"},
		[]string{"(*FilesService).List", "(*FilesListCall).Q"},
	}, {
		"github.com/openai/openai-go/v3",
		`package openai
		import "context"
		type ChatCompletionService struct{}
		type Client struct{}
		func NewClient() Client
		func UserMessage(string) string
		func (*ChatCompletionService) New(context.Context, int) (int, error)
		func (*ChatCompletionService) NewStreaming(context.Context, int) *int`,
		slowModel,
		[]string{"(*ChatCompletionService).New", "(*ChatCompletionService).NewStreaming"},
		[]string{"NewClient", "UserMessage"},
	}, {
		"github.com/stripe/stripe-go/v83/webhook",
		`package webhook
		func ConstructEvent(payload []byte, header, secret string) (int, error)`,
		Cost{}, nil, []string{"ConstructEvent"},
	}, {
		"github.com/stripe/stripe-go/v83/checkout/session",
		`package session
		type Client struct{}
		type Iter struct{}
		func New(*int) (*int, error)
		func (Client) New(*int) (*int, error)
		func List(*int) *Iter`,
		slowHTTP, []string{"New", "(Client).New"}, []string{"List"},
	}, {
		"github.com/redis/go-redis/v9",
		`package redis
		import "context"
		type StringCmd struct{}
		type Options struct{}
		type cmdable func()
		type Client struct{ cmdable }
		func NewClient(*Options) *Client
		func (*StringCmd) Result() (string, error)
		func (cmdable) Get(context.Context, string) *StringCmd
		func (*Client) Options() *Options
		func (*Client) Do(context.Context, ...any) *StringCmd
		type StringCmdable interface { Get(context.Context, string) *StringCmd }`,
		broker,
		[]string{"(cmdable).Get", "(StringCmdable).Get", "(*Client).Do"},
		[]string{"NewClient", "(*StringCmd).Result", "(*Client).Options"},
	}, {
		"cloud.google.com/go/spanner",
		`package spanner
		import "context"
		type Client struct{}
		func (*Client) Apply(context.Context) error`,
		Cost{}, nil, []string{"(*Client).Apply"}, // a database itself
	}, {
		"example.com/app/cloud",
		`package cloud
		import "context"
		type Client struct{}
		func (*Client) PutObject(context.Context) (int, error)`,
		Cost{}, nil, []string{"(*Client).PutObject"},
	}} {
		funcs := w.add(p.path, p.source)
		for _, name := range p.slow {
			if got, ok := slowCall(funcs[name]); !ok || got != p.want {
				t.Errorf("%s: %s is %v, want %v", p.path, name, got, p.want)
			}
		}
		for _, name := range p.fast {
			if got, ok := slowCall(funcs[name]); ok {
				t.Errorf("%s: %s is %v, and is not slow", p.path, name, got)
			}
		}
	}
}

func TestSlowCall_InterfacesOfProjects(t *testing.T) {
	w := newWorld(t)
	w.add("google.golang.org/grpc", `package grpc
		type CallOption interface{ before() }`)
	w.add("golang.org/x/oauth2", `package oauth2
		type Token struct{}`)
	funcs := w.add("example.com/app", `package app
		import (
			"context"
			"net"
			"net/http"

			"golang.org/x/oauth2"
			"google.golang.org/grpc"
		)
		type Doer interface { Do(*http.Request) (*http.Response, error) }
		type Greeter interface {
			SayHello(context.Context, *int, ...grpc.CallOption) (*int, error)
			Name() string
		}
		type Dialer interface { DialContext(context.Context, string, string) (net.Conn, error) }
		type Provider interface {
			Exchange(context.Context, string) (*oauth2.Token, error)
			Stored(context.Context) (*oauth2.Token, error)
		}
		type local struct{}
		func (local) SayHello(context.Context, *int, ...grpc.CallOption) (*int, error)
		func (local) Do(*http.Request) (*http.Response, error)`)
	for name, want := range map[string]Cost{
		"(Doer).Do": slowHTTP, "(Greeter).SayHello": slowRPC, "(Dialer).DialContext": slowNetwork, "(Provider).Exchange": slowHTTP,
	} {
		if got, _ := slowCall(funcs[name]); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// What has a body is looked into.
	for _, name := range []string{"(Greeter).Name", "(Provider).Stored", "(local).SayHello", "(local).Do"} {
		if got, ok := slowCall(funcs[name]); ok {
			t.Errorf("%s is %v, and is not slow", name, got)
		}
	}
}
