package live

import "net"

func StartOn(l net.Listener, title, style string) *Page { return start(l, title, style, "") }

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

func DrawOnce(p *Page) { p.drawOnce() }
