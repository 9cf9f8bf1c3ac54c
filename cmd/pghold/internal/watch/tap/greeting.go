package tap

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
)

// greeting is what a server with TLS says to an app without until it lets the app in. The
// app is not offered SCRAM-SHA-256-PLUS: messages go on when they are whole.
type greeting struct {
	part []byte // of a message
}

// maxGreeting is how long a message of the server may be before the client is let in.
const maxGreeting = 1 << 20

// greeted is what goes on to the app of what has come from the server.
func (c *conn) greeted(b []byte) ([]byte, error) {
	if c.greeting == nil {
		return b, nil
	}
	on, in, err := c.greeting.pass(b)
	if in {
		c.greeting = nil
	}
	return on, err
}

// pass returns what goes on to the app, and whether the app is let in: all that follows
// goes on as it comes.
func (g *greeting) pass(b []byte) (on []byte, in bool, err error) {
	rest := append(g.part, b...)
	for len(rest) >= 5 {
		length := int(binary.BigEndian.Uint32(rest[1:])) + 1
		if length < 5 || length > maxGreeting {
			return nil, false, fmt.Errorf("a message of type %q says that it is %d bytes long", rest[0], length-1)
		}
		if len(rest) < length {
			break
		}
		m := rest[:length]
		rest = rest[length:]
		if m[0] != 'R' {
			on = append(on, m...)
			continue
		}
		on = append(on, withoutPlus(m)...)
		if length >= 9 && binary.BigEndian.Uint32(m[5:]) == pgproto3.AuthTypeOk {
			return append(on, rest...), true, nil
		}
	}
	g.part = slices.Clone(rest)
	return on, false, nil
}

// withoutPlus is the offer of SASL mechanisms without the one that needs TLS.
func withoutPlus(m []byte) []byte {
	const plus = "SCRAM-SHA-256-PLUS"
	var offer pgproto3.AuthenticationSASL
	if len(m) < 9 || binary.BigEndian.Uint32(m[5:]) != pgproto3.AuthTypeSASL || offer.Decode(m[5:]) != nil || !slices.Contains(offer.AuthMechanisms, plus) {
		return m
	}
	offer.AuthMechanisms = slices.DeleteFunc(offer.AuthMechanisms, func(name string) bool { return name == plus })
	b, err := offer.Encode(nil)
	if err != nil {
		return m
	}
	return b
}
