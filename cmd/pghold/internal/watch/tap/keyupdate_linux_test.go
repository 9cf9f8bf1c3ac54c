package tap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// rekeying writes the records of TLS 1.3 as an app, as crypto/tls does, but can change keys.
type rekeying struct {
	*end
	secret []byte
	n      uint64 // of records with this secret
}

// expand is HKDF-Expand-Label of RFC 8446.
func (r *rekeying) expand(label string, length int) []byte {
	r.t.Helper()
	info := append([]byte{0, byte(length), byte(len("tls13 ") + len(label))}, "tls13 "+label+"\x00"...)
	b, err := hkdf.Expand(sha256.New, r.secret, string(info), length)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// record adds one to what is sealed.
func (r *rekeying) record(typ byte, data string) {
	r.t.Helper()
	block, err := aes.NewCipher(r.expand("key", 16))
	if err != nil {
		r.t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		r.t.Fatal(err)
	}
	nonce := r.expand("iv", aead.NonceSize())
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^r.n)
	r.n++
	inner := append([]byte(data), typ)
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+aead.Overhead()))
	r.sealed = append(r.sealed, header...)
	r.sealed = aead.Seal(r.sealed, nonce, inner, header)
}

// update changes keys and asks the other side to do so, too.
func (r *rekeying) update() {
	r.t.Helper()
	r.record(22, "\x18\x00\x00\x01\x01")
	r.secret, r.n = r.expand("traffic upd", len(r.secret)), 0
}

func rekey(t *testing.T, h *byHand) (app *rekeying, server *end) {
	t.Helper()
	var log bytes.Buffer
	h.appTLS = withTLS(tls.VersionTLS13)
	h.appTLS.KeyLogWriter = &log
	e, server := h.connect()
	if is := e.tls.ConnectionState().CipherSuite; is != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("the cipher is %s", tls.CipherSuiteName(is))
	}
	for line := range strings.Lines(log.String()) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			return &rekeying{e, secret, 1}, server // after what connect has sent
		}
	}
	t.Fatal("the secret is not known")
	return nil, nil
}

// An app may have keys changed: what it sent before and after passes, and what comes back.
func TestLoop_KeysChange(t *testing.T) {
	h := turnByHand(t)
	app, server := rekey(t, h)
	for range 3 {
		app.record(23, select1)
		app.update()
		app.record(23, select1)
		app.flush()
		h.turn(0)
		server.expect(select1+select1, false)
		server.send([]byte(ready))
		h.turn(0)
		app.expect(ready, false)
	}
}

// So it is where the answer has to wait for what is held, and there is room just then.
func TestLoop_KeysChangeWhileHeld(t *testing.T) {
	h := turnByHand(t)
	app, server := rekey(t, h)
	rest := stream(4 << 20)
	var sent, got []byte
	for n := -1; n != 0 || !h.quiet(); {
		n = server.send(rest)
		sent, rest = append(sent, rest[:n]...), rest[n:]
		h.turn(0)
	}
	for part := make([]byte, bufferSize); len(got) < 100_000; {
		n, err := app.tls.Read(part)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part[:n]...)
	}
	app.update()
	app.flush()
	for _, leg := range h.legs {
		if !leg.isServer {
			leg.readable = true
			h.pass(leg)
		}
	}
	for n := -1; n != 0 || !h.quiet(); {
		part, _ := app.receive()
		got = append(got, part...)
		n = len(part)
		h.turn(0)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
	}
}

// One that has them changed without end, and does not read the answers, has to wait.
func TestLoop_KeysChangeForEver(t *testing.T) {
	h := turnByHand(t)
	app, server := rekey(t, h)
	messages, came := 0, 0
	for stalled := false; !stalled; {
		if len(app.sealed) == 0 {
			app.update()
			app.record(23, ready)
			messages++
		}
		n := app.write(app.sealed)
		app.sealed = app.sealed[n:]
		h.turn(0)
		stalled = n == 0 && h.quiet()
		got, _ := server.receive()
		came += len(got)
		if most := h.mostHeld(); most > 2*maxHeld {
			t.Fatalf("%d bytes are held", most)
		}
	}
	if h.mostHeld() < maxHeld {
		t.Fatalf("%d bytes are held: it waits for something else", h.mostHeld())
	}
	app.tls = nil // which does not take that many answers
	for read := -1; read != 0 || !h.quiet(); {
		answers, _ := app.receive()
		read = len(answers)
		app.flush()
		h.turn(0)
		got, _ := server.receive()
		came += len(got)
	}
	if came != messages*len(ready) || h.mostHeld() > 0 {
		t.Errorf("when it reads, %d bytes come of %d, and %d are held", came, messages*len(ready), h.mostHeld())
	}
}

// What it has to wait with may be in TLS's hands: no event tells of it.
func TestLoop_RestOfARecordWhileHeld(t *testing.T) {
	h := turnByHand(t)
	app, server := rekey(t, h)
	sent := stream(bufferSize + 1000)
	app.record(23, string(sent[:bufferSize-1]))
	app.record(23, string(sent[bufferSize-1:]))
	app.flush()
	h.turn(0)
	got, _ := server.receive()
	if len(got) != bufferSize {
		t.Fatalf("a turn passes %d bytes, want %d", len(got), bufferSize)
	}
	for _, leg := range h.legs {
		if !leg.isServer {
			leg.held = make([]byte, maxHeld+1)
			h.turn(0)
			h.control(unix.EPOLL_CTL_MOD, leg.fd, arrivals|unix.EPOLLOUT)
		}
	}
	if part, _ := server.receive(); len(part) > 0 {
		t.Error("it does not wait")
	}
	h.turn(0)
	part, _ := server.receive()
	if got = append(got, part...); !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
	}
}
