// Package sinks has the slow calls, each inside a transaction, and what looks like
// one and is fast.
package sinks

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/smtp"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/cenkalti/backoff/v4"
	"github.com/hibiken/asynq"
	"github.com/labstack/echo/v4"
	"github.com/openai/openai-go/v3"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
	"github.com/stripe/stripe-go/v82"
	"github.com/stripe/stripe-go/v82/subscription"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"gopkg.in/gomail.v2"
)

const u = "https://example.com/"

// inTx is the helper that all of this file's cases use.
func inTx(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func httpClient(ctx context.Context, db *sql.DB, c *http.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		req, err := http.NewRequestWithContext(ctx, "GET", u, nil)
		if err != nil {
			return err
		}
		_, err = c.Do(req) // want "high http .*Do"
		return err
	})
}

func okRequestOnly(ctx context.Context, db *sql.DB) (req *http.Request, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		req, err = http.NewRequestWithContext(ctx, "GET", u, nil)
		return err
	})
	return req, err
}

func roundTripper(ctx context.Context, db *sql.DB, rt http.RoundTripper, req *http.Request) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := rt.RoundTrip(req) // want "high http"
		return err
	})
}

func okClientOnly(ctx context.Context, db *sql.DB) (c *http.Client, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		c = &http.Client{Timeout: time.Second, Transport: http.DefaultTransport}
		req := &http.Request{Header: http.Header{}}
		req.Header.Set("A", "b")
		return nil
	})
	return c, err
}

func proxy(ctx context.Context, db *sql.DB, p *httputil.ReverseProxy, w http.ResponseWriter, r *http.Request) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		p.ServeHTTP(w, r) // want "high http"
		return nil
	})
}

func okProxyMade(ctx context.Context, db *sql.DB, to *url.URL) (p *httputil.ReverseProxy, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		p = httputil.NewSingleHostReverseProxy(to)
		return nil
	})
	return p, err
}

func oauthExchange(ctx context.Context, db *sql.DB, c *oauth2.Config) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := c.Exchange(ctx, "code") // want "high http .*Exchange"
		return err
	})
}

func okAuthCodeURL(ctx context.Context, db *sql.DB, c *oauth2.Config) (to string, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		to = c.AuthCodeURL("state")
		return nil
	})
	return to, err
}

func oauthToken(ctx context.Context, db *sql.DB, s oauth2.TokenSource) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := s.Token() // want "high http"
		return err
	})
}

func okOAuthClient(ctx context.Context, db *sql.DB, c *oauth2.Config, t *oauth2.Token) (hc *http.Client, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		if t.Valid() {
			hc = c.Client(ctx, t)
		}
		return nil
	})
	return hc, err
}

// GreeterClient looks like what protoc generates.
type GreeterClient interface {
	SayHello(ctx context.Context, name string, opts ...grpc.CallOption) (string, error)
}

type greeterClient struct{ cc grpc.ClientConnInterface }

func NewGreeterClient(cc grpc.ClientConnInterface) GreeterClient { return &greeterClient{cc} }

func (c *greeterClient) SayHello(ctx context.Context, name string, opts ...grpc.CallOption) (string, error) {
	var out string
	err := c.cc.Invoke(ctx, "/greet.Greeter/SayHello", name, &out, opts...)
	return out, err
}

func rpc(ctx context.Context, db *sql.DB, c GreeterClient) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := c.SayHello(ctx, "a") // want "high rpc"
		return err
	})
}

func okRPCClientMade(ctx context.Context, db *sql.DB, cc *grpc.ClientConn) (c GreeterClient, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		c = NewGreeterClient(cc)
		return nil
	})
	return c, err
}

func rpcStream(ctx context.Context, db *sql.DB, cc *grpc.ClientConn) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := cc.NewStream(ctx, &grpc.StreamDesc{}, "/greet.Greeter/Watch") // want "high rpc"
		return err
	})
}

func okRPCTarget(ctx context.Context, db *sql.DB, cc *grpc.ClientConn) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("insert", cc.Target())
		return err
	})
}

func upload(ctx context.Context, db *sql.DB, c *s3.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{}) // want "high cloud .*PutObject"
		return err
	})
}

func okUploadPrepared(ctx context.Context, db *sql.DB, c *s3.Client) (in *s3.PutObjectInput, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		region := c.Options().Region
		in = &s3.PutObjectInput{Bucket: &region}
		return nil
	})
	return in, err
}

func languageModel(ctx context.Context, db *sql.DB, c openai.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := c.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{}) // want "high model"
		return err
	})
}

func okPrompt(ctx context.Context, db *sql.DB) (prompt string, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		prompt = openai.UserMessage("say this is a test")
		return nil
	})
	return prompt, err
}

func stripeCancel(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := subscription.Cancel("sub_1", nil) // want "high http"
		return err
	})
}

func okStripeString(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("insert", stripe.String("a"))
		return err
	})
}

func mail(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return smtp.SendMail("mx:25", nil, "a@example.com", nil, nil) // want "high mail .*SendMail"
	})
}

func okMailAuth(ctx context.Context, db *sql.DB) (a smtp.Auth, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		a = smtp.PlainAuth("", "a", "b", "mx")
		return nil
	})
	return a, err
}

func mailLibrary(ctx context.Context, db *sql.DB, d *gomail.Dialer) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return d.DialAndSend(gomail.NewMessage()) // want "high (mail|network)"
	})
}

func okMessage(ctx context.Context, db *sql.DB) (m *gomail.Message, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		m = gomail.NewMessage()
		m.SetHeader("To", "a@example.com")
		return nil
	})
	return m, err
}

func dial(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		c, err := net.Dial("tcp", "example.com:80") // want "high network .*Dial"
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func okParseIP(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("insert", net.ParseIP("127.0.0.1").String(), net.JoinHostPort("a", "1"))
		return err
	})
}

func lookup(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := net.LookupCNAME("example.com") // want "high network .*LookupCNAME"
		return err
	})
}

func okParseURL(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := url.Parse(u)
		return err
	})
}

func process(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return exec.CommandContext(ctx, "ffprobe").Run() // want "high process .*Run"
	})
}

func okCommandOnly(ctx context.Context, db *sql.DB) (c *exec.Cmd, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		c = exec.Command("ffprobe")
		c.Env = os.Environ()
		return nil
	})
	return c, err
}

func processOutput(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := exec.Command("git", "fetch").CombinedOutput() // want "high process"
		return err
	})
}

func sleep(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		time.Sleep(time.Second) // want "high sleep .*Sleep"
		return nil
	})
}

func okNow(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("insert", time.Now().Add(time.Hour), time.Since(time.Time{}))
		return err
	})
}

func timer(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		<-time.After(time.Second) // want "(high|medium) (sleep|blocked)"
		return nil
	})
}

func okAfterFunc(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		time.AfterFunc(time.Second, func() { http.Get(u) })
		return nil
	})
}

func redisSet(ctx context.Context, db *sql.DB, c *redis.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return c.Set(ctx, "a", 1, 0).Err() // want "medium broker"
	})
}

func okRedisOptions(ctx context.Context, db *sql.DB, c *redis.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("insert", c.Options().Addr)
		return err
	})
}

func amqp(ctx context.Context, db *sql.DB, ch *amqp091.Channel) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return ch.PublishWithContext(ctx, "", "a", false, false, amqp091.Publishing{}) // want "medium broker"
	})
}

// okOutbox writes the message into a table.
func okOutbox(ctx context.Context, db *sql.DB, p amqp091.Publishing) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		body, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "insert into outbox", body)
		return err
	})
}

func kafkaWrite(ctx context.Context, db *sql.DB, w *kafka.Writer) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return w.WriteMessages(ctx, kafka.Message{}) // want "medium broker"
	})
}

func okKafkaMessages(ctx context.Context, db *sql.DB, w *kafka.Writer) error {
	var all []kafka.Message
	if err := inTx(ctx, db, func(tx *sql.Tx) error {
		all = append(all, kafka.Message{})
		return nil
	}); err != nil {
		return err
	}
	return w.WriteMessages(ctx, all...)
}

func enqueue(ctx context.Context, db *sql.DB, c *asynq.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := c.EnqueueContext(ctx, asynq.NewTask("mail", nil)) // want "medium broker .*Enqueue"
		return err
	})
}

func okTaskOnly(ctx context.Context, db *sql.DB) (t *asynq.Task, err error) {
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		t = asynq.NewTask("mail", nil)
		return nil
	})
	return t, err
}

func limiter(ctx context.Context, db *sql.DB, l *rate.Limiter) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return l.Wait(ctx) // want "medium blocked"
	})
}

func okLimiterAllow(ctx context.Context, db *sql.DB, l *rate.Limiter) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if !l.Allow() {
			return sql.ErrTxDone
		}
		return nil
	})
}

func weighted(ctx context.Context, db *sql.DB, s *semaphore.Weighted) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		defer s.Release(1)
		return s.Acquire(ctx, 1) // want "medium blocked"
	})
}

func okTryAcquire(ctx context.Context, db *sql.DB, s *semaphore.Weighted) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if s.TryAcquire(1) {
			s.Release(1)
		}
		return nil
	})
}

func retried(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return backoff.Retry(func() error { return fetch(u) }, backoff.NewExponentialBackOff()) // want "(high|medium) (http|sleep|blocked)"
	})
}

// okRetriedAround tries the whole transaction again.
func okRetriedAround(ctx context.Context, db *sql.DB) error {
	return backoff.Retry(func() error {
		return inTx(ctx, db, func(tx *sql.Tx) error {
			_, err := tx.Exec("delete from a")
			return err
		})
	}, backoff.NewExponentialBackOff())
}

func fetch(a string) error {
	_, err := http.Get(a)
	return err
}

func lock(ctx context.Context, db *sql.DB, mu *sync.Mutex) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		mu.Lock() // want "low blocked .*Lock"
		defer mu.Unlock()
		return nil
	})
}

func okLockAround(ctx context.Context, db *sql.DB, mu *sync.Mutex) error {
	mu.Lock()
	defer mu.Unlock()
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("delete from a")
		return err
	})
}

func okAtomic(ctx context.Context, db *sql.DB, n *atomic.Int64, mu *sync.Mutex) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		n.Add(1)
		if mu.TryLock() {
			mu.Unlock()
		}
		return nil
	})
}

func file(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := os.ReadFile("a.txt") // want "low file .*ReadFile"
		return err
	})
}

func okEnvironment(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("insert", os.Getenv("HOME"), strings.ToUpper("a"))
		return err
	})
}

func password(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := bcrypt.GenerateFromPassword([]byte("a"), 12) // want "low compute"
		return err
	})
}

func okSum(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		h := sha256.New()
		h.Write([]byte("a"))
		_, err := tx.Exec("insert", h.Sum(nil))
		return err
	})
}

func okLogs(ctx context.Context, db *sql.DB, l *slog.Logger) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		log.Printf("deleting")
		l.InfoContext(ctx, "deleting")
		fmt.Println("deleting")
		fmt.Fprintln(os.Stderr, "deleting")
		return nil
	})
}

func clientReadsSlowly(db *sql.DB, w http.ResponseWriter) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			return err
		}
		fmt.Fprintln(w, a) // want "medium client"
	}
	return rows.Err()
}

func encodesRows(db *sql.DB, w http.ResponseWriter) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	out := json.NewEncoder(w)
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			return err
		}
		if err := out.Encode(a); err != nil { // want "medium client"
			return err
		}
	}
	return rows.Err()
}

func okBuffered(db *sql.DB, w http.ResponseWriter) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			return err
		}
		fmt.Fprintln(&b, a)
	}
	rows.Close()
	fmt.Fprint(w, b.String())
	return rows.Err()
}

// okRespond answers inside a transaction: a few bytes, which no client delays.
func okRespond(ctx context.Context, db *sql.DB, c echo.Context) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.Exec("delete from a", c.Param("id")); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, "deleted")
	})
}

func postForm(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := http.PostForm(u, url.Values{"a": {"b"}}) // want "high http .*PostForm"
		return err
	})
}

func mailConversation(ctx context.Context, db *sql.DB, c *smtp.Client) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return c.Mail("a@example.com") // want "high mail"
	})
}

func waitsForProcess(ctx context.Context, db *sql.DB, c *exec.Cmd) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return c.Wait() // want "high process"
	})
}

func ticks(ctx context.Context, db *sql.DB, t *time.Ticker) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		<-t.C // want "(high|medium) (sleep|blocked)"
		return nil
	})
}
