// Package storage says what a storage does.
package storage

import "context"

type RefreshToken struct{ ID, Data string }

type AuthRequest struct{ ID, Scope string }

type Storage interface {
	UpdateRefreshToken(ctx context.Context, id string, updater func(old RefreshToken) (RefreshToken, error)) error
	UpdateAuthRequest(ctx context.Context, id string, updater func(old AuthRequest) (AuthRequest, error)) error
	GetRefreshToken(ctx context.Context, id string) (RefreshToken, error)
}
