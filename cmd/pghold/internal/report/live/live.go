// Package live serves a page that shows a run while it runs, on loopback: cards that
// are drawn where somebody looks, at once and then anew twice a second at most, more
// seldom where drawing takes long, and at the end the report in their place. A page
// that is loaded again, or whose connection was lost, has all of it again.
//
// It draws nothing itself, measures nothing and keeps nothing: what it shows is HTML
// that others have made safe. Nothing in it comes from another host.
package live

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

//go:embed live.js
var script []byte

//go:embed live.html
var shell string

var page = template.Must(template.New("live").Parse(shell))

const (
	// period is how often a card is drawn anew, and share the most of a core's time
	// that drawing may take: where it is slow it is done more seldom.
	period = 500 * time.Millisecond
	share  = 0.02

	// goodbye is how long Close waits for viewers to get the end of the run, and
	// comeback how long one whose connection was lost has to return for it.
	goodbye  = 2 * time.Second
	comeback = 3 * period
)

// Page is the page of one run. Its methods may be called by many goroutines.
type Page struct {
	title, style, legend string

	mu      sync.Mutex // guards what follows
	cards   []card
	status  string
	end     []byte        // the report, once there is one
	version int           // grows with each change
	changed chan struct{} // closed at the next change
	viewers int
	away    int       // viewers whose connection was lost
	left    time.Time // when the last of them was

	listener net.Listener
	server   *http.Server
	stop     context.CancelFunc
	blank    chan struct{} // somebody looks at a card that was never drawn
	drawing  chan struct{} // closed when drawing has ended
}

// card is a part of the page. draw makes its HTML, of which html is the last; a card
// that is finished is not drawn again and has no draw, which may keep much in memory.
type card struct {
	id       string
	draw     func(io.Writer) error
	html     []byte
	version  int // of the page, when it was drawn
	finished bool
}

func (c card) isOpen() bool  { return !c.finished }
func (c card) isBlank() bool { return !c.finished && c.html == nil }

// Start serves the page on a free port of loopback. style is its CSS, legend HTML that
// says what the cards' colours mean.
func Start(title, style, legend string) (*Page, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return start(l, title, style, legend, period), nil
}

func start(l net.Listener, title, style, legend string, period time.Duration) *Page {
	ctx, stop := context.WithCancel(context.Background())
	p := &Page{
		title: title, style: style, legend: legend, changed: make(chan struct{}), listener: l, stop: stop,
		blank: make(chan struct{}, 1), drawing: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.serve)
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("GET /live.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Write(script)
	})
	p.server = &http.Server{
		Handler: p.guard(mux), ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go p.server.Serve(l)
	go p.draw(ctx, period)
	return p
}

// URL is where the page is.
func (p *Page) URL() string { return "http://" + p.listener.Addr().String() + "/" }

// guard lets only those in who name this host, so that no other page can read this one
// by way of a name of its own, and forbids what the page does not need.
func (p *Page) guard(next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "127.0.0.1:"+port && r.Host != "localhost:"+port {
			http.Error(w, "this page is at "+p.URL(), http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Show adds a card, or says how it is drawn from now on. draw is called seldom, by one
// goroutine at a time, and only where somebody looks.
func (p *Page) Show(id string, draw func(io.Writer) error) { p.set(id, draw, false) }

// Finish is Show for the last time: draw is called once.
func (p *Page) Finish(id string, draw func(io.Writer) error) { p.set(id, draw, true) }

func (p *Page) set(id string, draw func(io.Writer) error, finished bool) {
	html := []byte(nil)
	if finished {
		html, draw = drawn(draw), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.cards {
		if c := &p.cards[i]; c.id == id {
			c.draw, c.finished = draw, finished
			if finished {
				p.change()
				c.html, c.version = html, p.version
			}
			return
		}
	}
	p.change()
	p.cards = append(p.cards, card{id: id, draw: draw, html: html, version: p.version, finished: finished})
	p.fill()
}

// fill has cards drawn at once that were never drawn, if somebody looks. The caller
// holds mu.
func (p *Page) fill() {
	if p.viewers > 0 && slices.ContainsFunc(p.cards, card.isBlank) {
		select {
		case p.blank <- struct{}{}:
		default: // it was told already
		}
	}
}

// Status is the line above the cards.
func (p *Page) Status(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status != text {
		p.status = text
		p.change()
	}
}

// End puts the report in place of the cards. body is what its body has.
func (p *Page) End(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = body
	p.change()
}

// change tells those who wait for one. The caller holds mu.
func (p *Page) change() {
	p.version++
	close(p.changed)
	p.changed = make(chan struct{})
}

// Close ends the page, once those who look have all there is, or a moment later.
func (p *Page) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	p.mu.Lock()
	ended := p.end != nil
	p.mu.Unlock()
	if ended {
		p.awaitLost(ctx)
		p.server.Shutdown(ctx) // viewers hang up when they have the report
	}
	p.stop()
	p.server.Close()
	<-p.drawing
}

// awaitLost waits for those whose connection was lost a moment ago: Shutdown would turn
// them away.
func (p *Page) awaitLost(ctx context.Context) {
	for {
		p.mu.Lock()
		away, left, changed := p.away, p.left, p.changed
		p.mu.Unlock()
		rest := time.Until(left.Add(comeback))
		if away == 0 || rest <= 0 {
			return
		}
		select {
		case <-changed:
		case <-time.After(rest):
		case <-ctx.Done():
			return
		}
	}
}

// back counts a viewer who has returned. The caller holds mu.
func (p *Page) back() {
	if p.away > 0 {
		p.away--
		p.change()
	}
}

// draw draws cards anew while somebody looks.
func (p *Page) draw(ctx context.Context, period time.Duration) {
	defer close(p.drawing)
	timer := time.NewTimer(period)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.blank:
			p.drawThose(card.isBlank)
			continue
		case <-timer.C:
		}
		began := time.Now()
		p.drawThose(card.isOpen)
		timer.Reset(max(period, time.Duration(float64(time.Since(began))/share)))
	}
}

func (p *Page) drawThose(which func(card) bool) {
	p.mu.Lock()
	var those []card
	if p.viewers > 0 {
		for _, c := range p.cards {
			if which(c) {
				those = append(those, c)
			}
		}
	}
	p.mu.Unlock()
	for _, o := range those {
		html := drawn(o.draw)
		p.mu.Lock()
		for i := range p.cards {
			if c := &p.cards[i]; c.id == o.id && !c.finished && !bytes.Equal(c.html, html) {
				p.change()
				c.html, c.version = html, p.version
			}
		}
		p.mu.Unlock()
	}
}

func drawn(draw func(io.Writer) error) []byte {
	var b bytes.Buffer
	if err := draw(&b); err != nil {
		b.Reset()
		fmt.Fprintf(&b, "<p>%s</p>", template.HTMLEscapeString("This could not be drawn: "+err.Error()))
	}
	return b.Bytes()
}

// serve is the page itself, with what there is by now, so that it shows something
// without a script as well.
func (p *Page) serve(w http.ResponseWriter, r *http.Request) {
	type shown struct {
		ID   string
		HTML template.HTML
	}
	data := struct {
		Title  string
		Style  template.CSS
		Legend template.HTML
		Status string
		Cards  []shown
		End    template.HTML
	}{Title: p.title, Style: template.CSS(p.style), Legend: template.HTML(p.legend)}
	p.mu.Lock()
	data.Status, data.End = p.status, template.HTML(p.end)
	if p.end != nil {
		p.back() // with this he has all there is
	}
	for _, c := range p.cards {
		data.Cards = append(data.Cards, shown{c.id, template.HTML(c.html)})
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, data) // an error is the viewer's leaving
}

// events sends what has changed since the viewer came, which at first is all there is.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	fmt.Fprintf(w, "retry: %d\n\n", period.Milliseconds()) // after a lost connection
	p.mu.Lock()
	p.viewers++
	p.back()
	p.fill()
	p.mu.Unlock()
	served := false // to the end
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.viewers--
		if !served {
			p.away++
			p.left = time.Now()
			p.change()
		}
	}()
	send := func(event string, data any) {
		b, err := json.Marshal(data)
		if err != nil {
			return
		}
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, b)
	}
	seen, status := -1, ""
	for {
		p.mu.Lock()
		changed, end := p.changed, p.end
		var cards []card
		for _, c := range p.cards {
			if c.version > seen && c.html != nil {
				cards = append(cards, c)
			}
		}
		seen = p.version
		now := p.status
		p.mu.Unlock()

		for _, c := range cards {
			send("card", map[string]string{"id": c.id, "html": string(c.html)})
		}
		if now != status {
			send("status", now)
			status = now
		}
		if end != nil {
			send("end", string(end))
		}
		err := flusher.Flush()
		if served = err == nil && end != nil; err != nil || served {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
