// Package repo keeps servers in the database.
package repo

import (
	"context"

	"ops/provisioning"
	"ops/transaction"
)

type Servers struct{}

func (Servers) Get(ctx context.Context, name string) (*provisioning.Server, error) {
	s := &provisioning.Server{Name: name}
	err := transaction.From(ctx).QueryRowContext(ctx, "select bmc from servers", name).Scan(&s.BMC)
	return s, err
}

func (Servers) Update(ctx context.Context, s *provisioning.Server) error {
	_, err := transaction.From(ctx).ExecContext(ctx, "update servers", s.Name, s.BMC)
	return err
}
