// Package gomail is a stub: signatures only.
package gomail

import "net"

type Message struct{ to string }

func NewMessage() *Message                             { return &Message{} }
func (m *Message) SetHeader(field string, v ...string) {}

type Dialer struct{ Host string }

func (d *Dialer) DialAndSend(m ...*Message) error {
	_, err := net.Dial("tcp", d.Host)
	return err
}
