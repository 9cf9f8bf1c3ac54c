//go:build !linux && !darwin

package pgtemp

import (
	"context"
	"errors"
	"runtime"
)

type machine struct{}

func thisMachine() machine { return machine{} }

func start(context.Context, Config, machine) (*Server, error) {
	return nil, errors.New("no throwaway PostgreSQL on " + runtime.GOOS + ": " + useYourOwn)
}

func startBouncer(context.Context, BouncerConfig, machine) (*Bouncer, error) {
	return nil, errors.New("no throwaway PgBouncer on " + runtime.GOOS + ": leave out --pgbouncer")
}
