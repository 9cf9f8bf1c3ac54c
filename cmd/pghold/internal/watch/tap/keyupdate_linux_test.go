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
