// Package server refreshes tokens.
package server

import (
	"context"
	"strings"

	"dex/connector"
	"dex/storage"
)

type Server struct {
	storage    storage.Storage
	connectors map[string]connector.Connector
}

func New(s storage.Storage, c map[string]connector.Connector) *Server {
	return &Server{storage: s, connectors: c}
}

// Refresh asks the other provider from within its updater.
func (s *Server) Refresh(ctx context.Context, id string) error {
	old, err := s.storage.GetRefreshToken(ctx, id)
	if err != nil {
		return err
	}
	return s.update(ctx, old, func(ctx context.Context) (connector.Identity, error) {
		return s.freshIdentity(ctx, old)
	})
}

func (s *Server) update(ctx context.Context, token storage.RefreshToken, fresh func(ctx context.Context) (connector.Identity, error)) error {
	updater := func(old storage.RefreshToken) (storage.RefreshToken, error) {
		if old.Data != token.Data {
			return old, nil
		}
		ident, err := fresh(ctx)
		if err != nil {
			return old, err
		}
		old.Data = ident.Name
		return old, nil
	}
	return s.storage.UpdateRefreshToken(ctx, token.ID, updater)
}

func (s *Server) freshIdentity(ctx context.Context, token storage.RefreshToken) (connector.Identity, error) {
	id := connector.Identity{Name: token.Data}
	if r, ok := s.connectors["oidc"].(connector.RefreshConnector); ok {
		return r.Refresh(ctx, id)
	}
	return id, nil
}

// okApprove has a fast updater, and asks before it.
func (s *Server) okApprove(ctx context.Context, id string) error {
	fresh, err := s.freshIdentity(ctx, storage.RefreshToken{ID: id})
	if err != nil {
		return err
	}
	return s.storage.UpdateAuthRequest(ctx, id, func(a storage.AuthRequest) (storage.AuthRequest, error) {
		a.Scope = strings.TrimSpace(fresh.Name)
		return a, nil
	})
}

func (s *Server) Approve(ctx context.Context, id string) error { return s.okApprove(ctx, id) }
