package prove_test

import (
	"net"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/internal/memnet"
)

func listen(t *testing.T, n *memnet.Network) net.Listener {
	t.Helper()
	l, err := n.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// targets are those of routes of the stage.
func (st *stage) targets(t *testing.T, routes ...string) (targets []prove.Target) {
	t.Helper()
	for _, r := range routes {
		target, err := prove.ParseTarget("GET " + st.base + r)
		if err != nil {
			t.Fatal(err)
		}
		target.Name = target.RouteName()
		targets = append(targets, target)
	}
	return targets
}
