package live

import "net"

func StartOn(l net.Listener, title, style string) *Page { return start(l, title, style, "") }

func DrawOnce(p *Page) { p.drawOnce() }
