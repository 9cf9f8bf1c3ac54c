//go:build !unix

package lab

import "github.com/pghold/pghold/cmd/pghold/internal/experiment"

// allowFiles has nothing to do: there is no limit of open files to be raised.
func allowFiles(experiment.Settings) error { return nil }
