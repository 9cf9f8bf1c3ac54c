package prove_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/internal/memnet"
)

func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		l := listen(t, network)
		mux := http.NewServeMux()
		mux.HandleFunc("/fine", func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(2 * time.Second)
			w.Write([]byte("hello"))
		})
		mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "relation \"carts\"\n does not exist\x1b[2J", http.StatusInternalServerError)
		})
		mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			w.Write([]byte(strings.Repeat("x", 501)))
		})
		mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login/form", http.StatusFound) })
		mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		mux.HandleFunc("/halfway", func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("half"))
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		server := &http.Server{Handler: mux}
		go server.Serve(l)
		defer server.Close()
		check := func(base, path string) (prove.Answer, error) {
			target, err := prove.ParseTarget("GET " + base + path + "?token=secret")
			if err != nil {
				t.Fatal(err)
			}
			return prove.Check(t.Context(), target, 30*time.Second, network.Dial)
		}
		base := "http://" + l.Addr().String()
		if a, err := check(base, "/fine"); err != nil || a.Status != 200 || a.Bytes != 5 || a.Took < 2*time.Second {
			t.Errorf("got %+v, %v", a, err)
		}
		for path, want := range map[string]string{
			"/broken":  `/broken?token=… answers 500 before there is any load: relation "carts" does not exist`,
			"/empty":   "answers 502 before there is any load: (no body)",
			"/long":    "answers 418 before there is any load: " + strings.Repeat("x", 500),
			"/none":    "answers 404 before there is any load: 404 page not found",
			"/login":   "redirects to /login/form (302): attack what it leads to",
			"/hangs":   "gave no answer within 30 s, before there was any load",
			"/halfway": "gave no answer within 30 s, before there was any load",
		} {
			_, err := check(base, path)
			if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\x1b") || strings.Contains(err.Error(), "secret") || len(err.Error()) > 700 || strings.Contains(err.Error(), strings.Repeat("x", 501)) {
				t.Errorf("%s: got %v, want %s", path, err, want)
			}
		}
		if _, err := check("http://10.255.255.1:9", "/"); err == nil || !strings.Contains(err.Error(), "check the address, and that the service listens there") || strings.Contains(err.Error(), "secret") {
			t.Errorf("nobody listens: got %v", err)
		}
		time.Sleep(time.Hour)
	})
}
