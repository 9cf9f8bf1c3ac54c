package tap_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// certificate is one for localhost, and the file in which it is.
type certificate struct {
	pair      tls.Certificate
	cert, key string // PEM
	file      string
}

func makeCertificate(t testing.TB) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := certificate{
		cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
		file: filepath.Join(t.TempDir(), "root.crt"),
	}
	if c.pair, err = tls.X509KeyPair([]byte(c.cert), []byte(c.key)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.file, []byte(c.cert), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

// encryptServer gives the server of a database a certificate and a role that logs in
// with SCRAM.
func encryptServer(t testing.TB, dsn string, c certificate) {
	t.Helper()
	conn := pgtest.Connect(t, dsn, "setup")
	defer conn.Close(t.Context())
	var folder string
	if err := conn.QueryRow(t.Context(), "show data_directory").Scan(&folder); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"tap.crt": c.cert, "tap.key": c.key} {
		file := filepath.Join(folder, name) // which the server's own account has to own
		exec1(t, conn, fmt.Sprintf("copy (select unnest(string_to_array('%s', e'\\n'))) to program 'umask 077; cat > %s'", strings.TrimSpace(content), file))
	}
	for _, sql := range []string{
		"alter system set ssl_cert_file = 'tap.crt'", "alter system set ssl_key_file = 'tap.key'", "alter system set ssl = on",
		"select pg_reload_conf()",
		"set password_encryption = 'scram-sha-256'", "drop role if exists scram", "create role scram login password 'it is secret'",
	} {
		exec1(t, conn, sql)
	}
	t.Cleanup(func() {
		conn := connectNow(t, dsn)
		defer conn.Close(context.Background())
		for _, sql := range []string{"alter system reset ssl", "select pg_reload_conf()", "drop role scram"} {
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
		}
	})
}

func exec1(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func connectNow(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// psql is PostgreSQL's own client.
func psql(t *testing.T) string {
	t.Helper()
	if path, err := osexec.LookPath("psql"); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if len(found) == 0 {
		t.Fatal("this test needs psql: apt-get install postgresql-client")
	}
	return found[len(found)-1]
}

// python is one that has asyncpg, or Debian's.
func python(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if osexec.Command(python, "-c", "import asyncpg").Run() == nil {
			return python
		}
	}
	t.Fatal("this test needs asyncpg: apt-get install python3-asyncpg")
	return ""
}

// output is what a program says, which is also what it fails with.
func output(cmd *osexec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Apps with and without TLS, servers with and without, and the passwords of both.
func TestTap_TLS(t *testing.T) {
	cert := makeCertificate(t)
	dsn := pgtest.DSN(t)
	encryptServer(t, dsn, cert)
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf("host=localhost port=%d dbname=%s user=nobody ", cc.Port, cc.Database)
	clients := []struct {
		name  string
		binds bool // its password to the channel, as channel_binding says
		ask   func(t *testing.T, dsn string) (answer string, err error)
	}{
		{"pgx", true, func(t *testing.T, dsn string) (string, error) {
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				return "", err
			}
			defer conn.Close(t.Context())
			var answer string
			return answer, conn.QueryRow(t.Context(), ask).Scan(&answer)
		}},
		{"psql", true, func(t *testing.T, dsn string) (string, error) {
			return output(osexec.CommandContext(t.Context(), psql(t), "-X", "-A", "-t", "-c", ask, dsn))
		}},
		{"asyncpg", false, func(t *testing.T, dsn string) (string, error) {
			return output(osexec.CommandContext(t.Context(), python(t), "testdata/ask.py", dsn, ask))
		}},
	}
	if onGoroutines { // what is between is the same for all
		clients = clients[:1]
	}
	for _, to := range []struct {
		name, sslmode string
		encrypted     bool
	}{
		{"server without", "sslmode=disable", false},
		{"server with", "sslmode=require", true},
		{"server verified", "sslmode=verify-full sslrootcert=" + cert.file, true},
		{"server as it likes", "sslmode=prefer", true},
	} {
		for _, app := range []struct {
			name, sslmode string
			encrypted     bool
		}{
			{"app without", "sslmode=disable", false},
			{"app with", "sslmode=verify-full sslrootcert=" + cert.file, true},
		} {
			tt := start(t, server+to.sslmode, func(c *tap.Config) {
				if app.encrypted {
					c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.pair}, NextProtos: []string{"postgresql"}}
				}
			})
			through := fmt.Sprintf("host=localhost port=%d dbname=%s user=scram password='it is secret' %s ", tt.addr.(*net.TCPAddr).Port, cc.Database, app.sslmode)
			for _, client := range clients {
				t.Run(fmt.Sprintf("%s, %s, %s", to.name, app.name, client.name), func(t *testing.T) {
					plain := through
					switch {
					case !client.binds:
					case to.encrypted && app.encrypted:
						for _, binding := range []string{"prefer", "require"} {
							_, err := client.ask(t, through+"channel_binding="+binding)
							if err == nil || !strings.Contains(err.Error(), "set channel_binding=disable in the app's connection string") {
								t.Errorf("channel_binding=%s: %v, want what to do", binding, err)
							}
						}
						plain += "channel_binding=disable"
					default:
						if _, err := client.ask(t, through+"channel_binding=require"); err == nil || !strings.Contains(err.Error(), "channel binding") {
							t.Errorf("channel_binding=require: %v, want a refusal that names it", err)
						}
					}
					answer, err := client.ask(t, plain)
					if want := fmt.Sprintf("scram, encrypted: %v", to.encrypted); err != nil || answer != want {
						t.Errorf("got %q, %v; want %q", answer, err, want)
					}
					if _, err := client.ask(t, strings.Replace(plain, "secret", "wrong", 1)); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
						t.Errorf("with a wrong password: %v", err)
					}
				})
			}
		}
	}
}

// The server may be asked to speak TLS from the first byte on, which PostgreSQL does since
// 17. With an older one, the app is told that this does not work.
func TestTap_DirectTLSOfTheServer(t *testing.T) {
	cert := makeCertificate(t)
	dsn := pgtest.DSN(t)
	encryptServer(t, dsn, cert)
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	setup := connectNow(t, dsn)
	defer setup.Close(t.Context())
	var version int
	if err := setup.QueryRow(t.Context(), "select current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	tt := start(t, fmt.Sprintf("host=localhost port=%d dbname=%s user=nobody sslmode=verify-full sslrootcert=%s sslnegotiation=direct", cc.Port, cc.Database, cert.file))
	app, err := pgx.Connect(t.Context(), fmt.Sprintf("host=localhost port=%d dbname=%s user=scram password='it is secret' sslmode=disable", tt.addr.(*net.TCPAddr).Port, cc.Database))
	if version < 170000 {
		if err == nil || !strings.Contains(err.Error(), "cannot reach the server: the server's TLS: ") {
			t.Errorf("PostgreSQL %d, asked for TLS at once: %v, want what went wrong", version, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close(t.Context())
	var answer string
	if err := app.QueryRow(t.Context(), ask).Scan(&answer); err != nil || answer != "scram, encrypted: true" {
		t.Errorf("got %q, %v", answer, err)
	}
}

const ask = "select format('%s, encrypted: %s', current_user, case when ssl then 'true' else 'false' end) from pg_stat_ssl where pid = pg_backend_pid()"

// An app may speak TLS from the first byte on, and one that asks for TLS where there is
// none is told so.
func TestTap_TLSOfTheApp(t *testing.T) {
	cert := makeCertificate(t)
	dsn := pgtest.DSN(t)
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	with := start(t, dsn, func(c *tap.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.pair}, NextProtos: []string{"postgresql"}}
	})
	without := start(t, dsn)
	through := func(tt *tapped, more string) string {
		return fmt.Sprintf("host=localhost port=%d dbname=%s user=%s password=%s %s", tt.addr.(*net.TCPAddr).Port, cc.Database, cc.User, cc.Password, more)
	}
	for _, more := range []string{"sslmode=require", "sslmode=require sslnegotiation=direct", "sslmode=prefer", "sslmode=disable"} {
		conn := pgtest.Connect(t, through(with, more), "app")
		pgtest.Exec(t, conn, "select 1")
		conn.Close(t.Context())
	}
	conn := pgtest.Connect(t, through(without, "sslmode=prefer"), "app")
	pgtest.Exec(t, conn, "select 1")
	conn.Close(t.Context())
	if _, err := pgx.Connect(t.Context(), through(without, "sslmode=require")); err == nil || !strings.Contains(err.Error(), "refused TLS") {
		t.Errorf("an app that wants TLS where there is none: %v", err)
	}
	if _, err := pgx.Connect(t.Context(), through(without, "sslmode=require sslnegotiation=direct")); err == nil {
		t.Error("an app that speaks TLS at once where there is none is let in")
	}
	if lines := strings.Join(without.lines(), "\n"); !strings.Contains(lines, "--tls-cert and --tls-key") {
		t.Errorf("the log says %q, want what to do", lines)
	}
}

// The server is asked for by its name, as the connection string has it, however the app has
// asked for the tap; and by none where it has an address only.
func TestTap_SNI(t *testing.T) {
	cert := makeCertificate(t)
	for host, want := range map[string]string{"localhost": "localhost", "127.0.0.1": ""} {
		for _, app := range []string{"sslmode=disable", "sslmode=require"} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			name := make(chan string, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				l.Close() // an app that tries again is refused
				io.ReadFull(c, make([]byte, 8))
				c.Write([]byte("S"))
				tls.Server(c, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					name <- hello.ServerName
					return &tls.Config{Certificates: []tls.Certificate{cert.pair}}, nil
				}}).Handshake()
			}()
			tt := start(t, fmt.Sprintf("host=%s port=%d user=u dbname=d sslmode=require", host, l.Addr().(*net.TCPAddr).Port), func(c *tap.Config) {
				c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.pair}}
			})
			if _, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=d %s", tt.addr.(*net.TCPAddr).Port, app)); err == nil {
				t.Error("a server that says nothing lets an app in")
			}
			if got := <-name; got != want {
				t.Errorf("with %s of the app the server %s was asked for as %q, want %q", app, host, got, want)
			}
		}
	}
}
