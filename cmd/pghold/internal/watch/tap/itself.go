package tap

import (
	"errors"
	"net"
)

// A tap whose server is the tap itself would pass a connection on to itself without end:
// each takes two open files, until there are none. A name may lead there, or another
// machine's port; so connections are looked at when they come.

var errCameBack = errors.New("what --dsn names leads back to this tap: name the server there")

// link is a connection of TCP, as the end that dialled has it. One address is not enough:
// the system gives out the same port for connections to different servers.
type link struct{ from, to string }

// dialled is the latest connections to the server, and whether they came back here. They
// do so at once, if at all.
type dialled struct {
	links    [256]link
	cameBack [256]bool
	next     int
}

func (d *dialled) find(l link) (at int, ok bool) {
	for i := range d.links {
		if d.links[i] == l {
			return i, true
		}
	}
	return 0, false
}

// dials remembers a connection to the server.
func (t *Tap) dials(server net.Conn) {
	if _, ok := server.RemoteAddr().(*net.TCPAddr); !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &t.dialled
	d.links[d.next], d.cameBack[d.next] = link{server.LocalAddr().String(), server.RemoteAddr().String()}, false
	d.next = (d.next + 1) % len(d.links)
}

// cameBack reports whether a connection to the server has been taken by the tap.
func (t *Tap) cameBack(server net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.dialled.find(link{server.LocalAddr().String(), server.RemoteAddr().String()})
	return ok && t.dialled.cameBack[at]
}

// itself reports whether a connection that has been taken is the tap's own, and tells the
// log the first time. Something has been read of it, and so dials has been called.
func (t *Tap) itself(app net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.dialled.find(link{app.RemoteAddr().String(), app.LocalAddr().String()})
	if !ok {
		return false
	}
	t.dialled.cameBack[at] = true
	if !t.looped {
		t.cfg.Log(errCameBack.Error())
	}
	t.looped = true
	return true
}
