// Package connector talks to other identity providers.
package connector

import (
	"context"

	"golang.org/x/oauth2"
)

type Identity struct{ Name string }

type Connector interface {
	LoginURL(state string) string
}

type RefreshConnector interface {
	Refresh(ctx context.Context, id Identity) (Identity, error)
}

// OIDC is a Connector and a RefreshConnector.
type OIDC struct{ Config *oauth2.Config }

func (o *OIDC) LoginURL(state string) string { return o.Config.AuthCodeURL(state) }

func (o *OIDC) Refresh(ctx context.Context, id Identity) (Identity, error) {
	t, err := o.Config.TokenSource(ctx, &oauth2.Token{AccessToken: id.Name}).Token()
	if err != nil {
		return id, err
	}
	return Identity{t.AccessToken}, nil
}
