package tap

import (
	"encoding/binary"
	"fmt"
)

// scanner finds messages in a stream that comes in pieces, and does not copy what is not
// asked for.
type scanner struct {
	head  [5]byte // type and length
	has   int     // of head
	left  int     // bytes of the body that have not come
	want  int     // bytes of the body that are asked for
	kept  []byte  // of these, those that came in earlier pieces; reused
	seeks bool    // those that are asked for are not all there
}

// reader is told of messages.
type reader interface {
	// message is called when a header is there, and returns how many bytes of the body it
	// wants to see.
	message(typ byte) (want int)
	// body is called when these are there, or the whole of a shorter body.
	body(typ byte, b []byte) error
}

// feed reads the next piece.
func (s *scanner) feed(b []byte, to reader) error {
	for len(b) > 0 {
		switch {
		case s.has < len(s.head):
			n := copy(s.head[s.has:], b)
			s.has += n
			b = b[n:]
			if s.has < len(s.head) {
				return nil
			}
			length := binary.BigEndian.Uint32(s.head[1:])
			if length < 4 || length > 1<<30 { // PostgreSQL's own limit, of allocations
				return fmt.Errorf("a message of type %q says that it is %d bytes long", s.head[0], length)
			}
			s.left = int(length) - 4
			s.want = min(to.message(s.head[0]), s.left)
			s.kept = s.kept[:0]
			s.seeks = true
		case s.seeks:
			// The rest of what is asked for, or all of it.
			n := min(s.want-len(s.kept), len(b))
			part := b[:n]
			if len(s.kept) > 0 || n < s.want {
				s.kept = append(s.kept, part...)
				part = s.kept
			}
			b = b[n:]
			if len(part) < s.want {
				return nil
			}
			if err := s.give(part, to); err != nil {
				return err
			}
			s.left -= s.want
		}
		if s.seeks && s.want == 0 {
			if err := s.give(nil, to); err != nil {
				return err
			}
		}
		if !s.seeks && s.has == len(s.head) {
			n := min(s.left, len(b))
			b = b[n:]
			if s.left -= n; s.left == 0 {
				s.has = 0
			}
		}
	}
	return nil
}

func (s *scanner) give(b []byte, to reader) error {
	s.seeks = false
	if cap(s.kept) > 2*keptCap {
		s.kept = nil
	}
	return to.body(s.head[0], b)
}

// keptCap is how much of a buffer is kept for later messages, in bytes.
const keptCap = 1 << 10
