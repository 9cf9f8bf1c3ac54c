// Package gapi is the bank's API.
package gapi

import (
	"context"
	"net/http"

	"bank/db"
	"bank/worker"
)

type Server struct {
	store       db.Store
	distributor worker.Distributor
}

func New(s db.Store, d worker.Distributor) *Server { return &Server{s, d} }

func (s *Server) CreateUser(ctx context.Context, name string) error {
	arg := db.CreateUserTxParams{
		Name: name,
		AfterCreate: func(user db.User) error {
			return s.distributor.SendVerifyMail(ctx, user.Name)
		},
	}
	_, err := s.store.CreateUserTx(ctx, arg)
	return err
}

// okVerify has its slow call in the callback that runs after the commit.
func (s *Server) okVerify(ctx context.Context) error {
	return s.store.VerifyMailTx(ctx, db.VerifyMailTxParams{
		Check: func(code string) bool { return len(code) == 4 },
		Done: func(user db.User) error {
			_, err := http.Get("https://example.com/")
			return err
		},
	})
}

// okTransfer distributes after the transaction.
func (s *Server) okTransfer(ctx context.Context) error {
	if err := s.store.TransferTx(ctx, 1, 2, 3); err != nil {
		return err
	}
	return s.distributor.SendVerifyMail(ctx, "a")
}

func (s *Server) Run(ctx context.Context) error {
	if err := s.okVerify(ctx); err != nil {
		return err
	}
	return s.okTransfer(ctx)
}
