package promhold

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pghold/pghold"
)

// CollectorOf is Collector for snapshots that a test makes.
func CollectorOf(snapshot func() *pghold.Snapshot) prometheus.Collector {
	return newCollector(snapshot)
}
