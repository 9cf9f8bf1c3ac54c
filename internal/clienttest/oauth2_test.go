package clienttest

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

// recipe: oauth2
var slowClient = &http.Client{Transport: httphold.Transport(nil, "/users/{id}")}

func signIn(ctx context.Context, conf *oauth2.Config, code string) (*http.Client, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, slowClient)
	token, err := conf.Exchange(ctx, code)
	if err != nil {
		return nil, err
	}
	return conf.Client(ctx, token), nil
}

// end

func TestOAuth2(t *testing.T) {
	api := newOAuth2API(t)
	r := pghold.NewRecorder(pghold.Config{})
	testSlowCalls(t, r, "sign-in", func(ctx context.Context) error {
		client, err := signIn(ctx, api.conf, "code")
		if err != nil {
			return err
		}
		return api.user(ctx, client)
	}, "POST "+api.host+"/token in signIn", "GET "+api.host+"/users/{id} in (*oauth2API).user")
}

func TestOAuth2_AClientThatIsKept(t *testing.T) {
	api := newOAuth2API(t)
	stored := &oauth2.Token{AccessToken: "old", RefreshToken: "r", Expiry: time.Unix(1, 0)}
	conf := api.conf
	// recipe: oauth2 client
	client := conf.Client(context.Background(), stored)
	client.Transport = httphold.Transport(client.Transport, "/users/{id}")
	// end
	r := pghold.NewRecorder(pghold.Config{})
	refreshed := 0
	api.onToken = func() { // in the call that needs the token
		refreshed++
		for _, hold := range r.Snapshot().Open {
			if calls := hold.SlowCalls; len(calls) != 1 || calls[0].What != "GET "+api.host+"/users/{id}" || !calls[0].Open {
				t.Errorf("while the token is refreshed, the hold's calls are %+v", calls)
			}
		}
	}
	// The route that is asked first, with a connection, needs a new token.
	testSlowCalls(t, r, "kept", func(ctx context.Context) error { return api.user(ctx, client) }, "GET "+api.host+"/users/{id} in (*oauth2API).user")
	if refreshed != 1 {
		t.Errorf("the token was refreshed %d times, want once", refreshed)
	}
}

// oauth2API is a service with sign-in.
type oauth2API struct {
	url, host string
	conf      *oauth2.Config
	onToken   func()
}

func newOAuth2API(t *testing.T) *oauth2API {
	api := &oauth2API{onToken: func() {}}
	api.url, api.host = serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			api.onToken()
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token": "new", "token_type": "bearer", "refresh_token": "r", "expires_in": 3600}`)
		case r.Header.Get("Authorization") != "Bearer new":
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	api.conf = &oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{TokenURL: api.url + "/token", AuthStyle: oauth2.AuthStyleInHeader}}
	return api
}

func (a *oauth2API) user(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, "GET", a.url+"/users/7", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", res.Status)
	}
	return nil
}
