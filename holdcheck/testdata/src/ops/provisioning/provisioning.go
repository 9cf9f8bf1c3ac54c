// Package provisioning knows servers and what they are made of.
package provisioning

import (
	"context"

	"ops/transaction"
)

type Server struct {
	Name, BMC string
	Offline   bool
}

type Repo interface {
	Get(ctx context.Context, name string) (*Server, error)
	Update(ctx context.Context, s *Server) error
}

// BMC is a server's management board.
type BMC interface {
	GetData(ctx context.Context, address string) (string, error)
	Supported(address string) bool
}

type Service struct {
	repo Repo
	bmc  BMC
}

func New(r Repo, b BMC) *Service { return &Service{r, b} }

func (s *Service) SelfUpdate(ctx context.Context, name string) error {
	return transaction.Do(ctx, func(ctx context.Context) error { // hold
		server, err := s.repo.Get(ctx, name)
		if err != nil {
			return err
		}
		if server.Offline {
			return s.resync(ctx, server) // wantcheck "high http .*Do"
		}
		return s.repo.Update(ctx, server)
	})
}

// resync asks before its own transaction; its caller may have one already.
func (s *Service) resync(ctx context.Context, server *Server) error {
	data, err := s.bmc.GetData(ctx, server.BMC)
	if err != nil {
		return err
	}
	return transaction.Do(ctx, func(ctx context.Context) error {
		server.Name = data
		return s.repo.Update(ctx, server)
	})
}

func (s *Service) okResync(ctx context.Context, name string) error {
	server, err := s.repo.Get(ctx, name)
	if err != nil {
		return err
	}
	return s.resync(ctx, server)
}

func (s *Service) okPoll(ctx context.Context, address string) error {
	data, err := s.bmc.GetData(ctx, address)
	if err != nil {
		return err
	}
	return transaction.Do(ctx, func(ctx context.Context) error {
		return s.repo.Update(ctx, &Server{Name: data})
	})
}

func (s *Service) okSupported(ctx context.Context, address string) error {
	return transaction.Do(ctx, func(ctx context.Context) error {
		if !s.bmc.Supported(address) {
			return nil
		}
		return s.repo.Update(ctx, &Server{BMC: address})
	})
}

// Nested has an inner Do that reuses the outer transaction: its end releases nothing.
func (s *Service) Nested(ctx context.Context, name string) error {
	return transaction.Do(ctx, func(ctx context.Context) error {
		if err := transaction.Do(ctx, func(ctx context.Context) error {
			_, err := s.repo.Get(ctx, name)
			return err
		}); err != nil {
			return err
		}
		_, err := s.bmc.GetData(ctx, name) // wantcheck "high http"
		return err
	})
}

func (s *Service) okInTurn(ctx context.Context, name string) error {
	if err := transaction.Do(ctx, func(ctx context.Context) error {
		return transaction.Do(ctx, func(ctx context.Context) error {
			_, err := s.repo.Get(ctx, name)
			return err
		})
	}); err != nil {
		return err
	}
	if _, err := s.bmc.GetData(ctx, name); err != nil {
		return err
	}
	return transaction.Do(ctx, func(ctx context.Context) error {
		return s.repo.Update(ctx, &Server{Name: name})
	})
}

func (s *Service) Run(ctx context.Context) error {
	for _, f := range []func(ctx context.Context, name string) error{
		s.SelfUpdate, s.Nested, s.okResync, s.okPoll, s.okSupported, s.okInTurn,
	} {
		if err := f(ctx, "a"); err != nil {
			return err
		}
	}
	return nil
}
