package main

import (
	"bytes"
	"testing"
)

func TestStatusLine(t *testing.T) {
	var b bytes.Buffer
	l := newStatusLine(&b)
	l.show("no terminal gets this")
	l.end()
	if b.Len() > 0 {
		t.Errorf("got %q", b.String())
	}
	l = newStatusLine(&b)
	l.width = 10
	l.show("reading packages")
	l.end()
	l.show("after the end")
	if got, want := b.String(), "\r\x1b[Kreading p\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
