package live

import (
	"net"
	"time"
)

func StartOn(l net.Listener, title, style string) *Page { return start(l, title, style, "", period) }

// StartSeldom draws nothing anew within a test.
func StartSeldom(l net.Listener) *Page { return start(l, "a run", "", "", time.Hour) }

// Comeback is how long one whose connection was lost has to return.
const Comeback = comeback

// AwaitAway waits until a viewer's connection is known to be lost.
func AwaitAway(p *Page) {
	for {
		p.mu.Lock()
		away, changed := p.away, p.changed
		p.mu.Unlock()
		if away > 0 {
			return
		}
		<-changed
	}
}

func DrawOnce(p *Page) { p.drawThose(card.isOpen) }
