// Package oauth2 is a stub: signatures only.
package oauth2

import (
	"context"
	"net/http"
)

type Token struct{ AccessToken string }

func (t *Token) Valid() bool { return t.AccessToken != "" }

type TokenSource interface{ Token() (*Token, error) }

type AuthCodeOption interface{ set() }

type Config struct{ ClientID, TokenURL string }

func (c *Config) AuthCodeURL(state string, opts ...AuthCodeOption) string { return c.ClientID + state }
func (c *Config) Exchange(ctx context.Context, code string, opts ...AuthCodeOption) (*Token, error) {
	_, err := http.Get(c.TokenURL)
	return &Token{}, err
}
func (c *Config) Client(ctx context.Context, t *Token) *http.Client { return http.DefaultClient }
func (c *Config) TokenSource(ctx context.Context, t *Token) TokenSource {
	return &source{c}
}

type source struct{ c *Config }

func (s *source) Token() (*Token, error) { return s.c.Exchange(context.Background(), "") }
