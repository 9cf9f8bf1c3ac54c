package pgmem

import (
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// session is a connection that was let in.
type session struct {
	server      *Server
	conn        net.Conn
	wire        *pgproto3.Backend
	types       *pgtype.Map
	pid         int32
	application string
	started     time.Time

	idleTimeout, transactionTimeout time.Duration // 0: none

	prepared map[string]*statement
	portals  map[string]*portal
	skipping bool // until Sync, after an error
	tx       *txn // nil: none is open

	// Guarded by Server.mu.
	state     string // as pg_stat_activity has it
	changed   time.Time
	waitEvent string
	cancelled chan struct{} // closed by a cancel request; nil while no statement runs
	killed    chan struct{} // closed by kill
	why       *failure      // it was killed
}

// portal is a statement with its arguments.
type portal struct {
	statement *statement
	args      []any
	formats   []int16 // of the columns
}

// serve serves a connection until it ends.
func (s *Server) serve(c net.Conn) {
	defer c.Close()
	v := &session{
		server: s, conn: c, wire: pgproto3.NewBackend(c, c), types: pgtype.NewMap(),
		prepared: map[string]*statement{}, portals: map[string]*portal{}, killed: make(chan struct{}),
	}
	m, err := v.wire.ReceiveStartupMessage()
	if err != nil {
		return
	}
	switch m := m.(type) {
	case *pgproto3.CancelRequest:
		s.cancel(int32(m.ProcessID))
	case *pgproto3.StartupMessage:
		if refused := v.letIn(m.Parameters); refused != nil {
			v.fail(refused)
			v.wire.Flush()
			return
		}
		defer v.leave()
		v.greet()
		v.serve()
	}
}

// letIn makes it one of the server's sessions.
func (v *session) letIn(parameters map[string]string) *failure {
	s := v.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= s.cfg.MaxConnections {
		return &failure{"FATAL", "53300", "sorry, too many clients already"}
	}
	s.lastPID++
	v.pid, v.application, v.started = s.lastPID, parameters["application_name"], time.Now()
	milliseconds := func(name string) time.Duration {
		n, _ := strconv.Atoi(parameters[name])
		return time.Duration(n) * time.Millisecond
	}
	v.idleTimeout, v.transactionTimeout = milliseconds("idle_in_transaction_session_timeout"), milliseconds("transaction_timeout")
	s.sessions[v.pid] = v
	return nil
}

// leave ends its transaction, and then itself.
func (v *session) leave() {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	v.end(false)
	delete(v.server.sessions, v.pid)
}

func (v *session) greet() {
	v.wire.Send(&pgproto3.AuthenticationOk{})
	for _, p := range [][2]string{
		{"server_version", v.server.cfg.Version}, {"client_encoding", "UTF8"},
		{"standard_conforming_strings", "on"}, {"integer_datetimes", "on"}, {"TimeZone", "UTC"},
	} {
		v.wire.Send(&pgproto3.ParameterStatus{Name: p[0], Value: p[1]})
	}
	// Decoded, because the key's type is another since pgx 5.9.
	var key pgproto3.BackendKeyData
	key.Decode(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(v.pid)), uint32(v.pid)))
	v.wire.Send(&key)
	v.ready()
}

// serve answers messages until the client leaves or somebody ends the session.
func (v *session) serve() {
	for {
		v.setDeadline()
		m, err := v.wire.Receive()
		if err != nil {
			if why := v.expired(err); why != nil {
				v.fail(why)
				v.wire.Flush()
			}
			return
		}
		v.is("active")
		if _, ok := m.(*pgproto3.Terminate); ok || !v.answer(m) {
			return
		}
	}
}

// answer answers a message, and reports whether the session goes on.
func (v *session) answer(m pgproto3.FrontendMessage) bool {
	if _, ok := m.(*pgproto3.Sync); v.skipping && !ok {
		return true
	}
	var err error
	switch m := m.(type) {
	case *pgproto3.Query:
		err = v.simple(m.String)
		if err == nil {
			return v.settle()
		}
	case *pgproto3.Sync:
		v.skipping = false
		return v.settle()
	case *pgproto3.Flush:
		v.wire.Flush()
	case *pgproto3.Parse:
		v.prepared[m.Name], err = v.server.statement(m.Query)
		v.send(err, &pgproto3.ParseComplete{})
	case *pgproto3.Describe:
		err = v.describe(m)
	case *pgproto3.Bind:
		v.portals[m.DestinationPortal], err = v.bind(m)
		v.send(err, &pgproto3.BindComplete{})
	case *pgproto3.Execute:
		p := v.portals[m.Portal]
		err = v.run(p.statement, p.args, p.formats)
	case *pgproto3.Close:
		if m.ObjectType == 'S' {
			delete(v.prepared, m.Name)
		} else {
			delete(v.portals, m.Name)
		}
		v.wire.Send(&pgproto3.CloseComplete{})
	default:
		err = failed("0A000", "pgmem does not know this message")
	}
	if err == nil {
		return true
	}
	f, ok := err.(*failure)
	if !ok {
		f = failed("XX000", err.Error())
	}
	v.fail(f)
	if f.severity == "FATAL" {
		v.wire.Flush()
		return false
	}
	v.abort()
	if _, ok := m.(*pgproto3.Query); ok {
		return v.settle()
	}
	v.skipping = true
	return true
}

// send sends a message unless there is an error.
func (v *session) send(err error, m pgproto3.BackendMessage) {
	if err == nil {
		v.wire.Send(m)
	}
}

func (v *session) fail(f *failure) {
	v.wire.Send(&pgproto3.ErrorResponse{Severity: f.severity, SeverityUnlocalized: f.severity, Code: f.code, Message: f.message})
}

// settle ends what was begun for one message only, and tells the client that it can go
// on.
func (v *session) settle() bool {
	v.server.mu.Lock()
	if v.tx != nil && !v.tx.explicit {
		v.end(true)
	}
	v.server.mu.Unlock()
	return v.ready()
}

// ready sends what there is to send, and reports whether the client is still there.
func (v *session) ready() bool {
	status, state := byte('I'), "idle"
	switch {
	case v.tx == nil:
	case v.tx.failed:
		status, state = 'E', "idle in transaction (aborted)"
	default:
		status, state = 'T', "idle in transaction"
	}
	v.wire.Send(&pgproto3.ReadyForQuery{TxStatus: status})
	v.is(state)
	if d := v.server.cfg.RoundTrip; d > 0 {
		time.Sleep(d + time.Duration(v.pid-firstPID))
	}
	return v.wire.Flush() == nil
}

// is sets the state that pg_stat_activity shows.
func (v *session) is(state string) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	if v.state == state {
		return
	}
	v.state, v.changed, v.waitEvent = state, time.Now(), "Client.ClientRead"
	v.cancelled = nil
	if state == "active" {
		v.waitEvent, v.cancelled = "", make(chan struct{})
	}
}

// simple runs the statements of a simple query, one after the other.
func (v *session) simple(text string) error {
	ran := false
	for _, sql := range strings.Split(text, ";") {
		if normal(sql) == "" {
			continue
		}
		ran = true
		st, err := v.server.statement(sql)
		if err != nil {
			return err
		}
		if st.columns != nil {
			v.wire.Send(st.describe(nil))
		}
		if err := v.run(st, nil, nil); err != nil {
			return err
		}
	}
	if !ran {
		v.wire.Send(&pgproto3.EmptyQueryResponse{})
	}
	return nil
}

func (v *session) describe(m *pgproto3.Describe) error {
	var st *statement
	var formats []int16
	if m.ObjectType == 'S' {
		if st = v.prepared[m.Name]; st == nil {
			return failed("26000", `prepared statement "`+m.Name+`" does not exist`)
		}
		v.wire.Send(&pgproto3.ParameterDescription{ParameterOIDs: st.parameters})
	} else {
		st, formats = v.portals[m.Name].statement, v.portals[m.Name].formats
	}
	if st.columns == nil {
		v.wire.Send(&pgproto3.NoData{})
	} else {
		v.wire.Send(st.describe(formats))
	}
	return nil
}

// bind makes a portal. What it keeps of the message is copied: the next overwrites it.
func (v *session) bind(m *pgproto3.Bind) (*portal, error) {
	st := v.prepared[m.PreparedStatement]
	if st == nil {
		return nil, failed("26000", `prepared statement "`+m.PreparedStatement+`" does not exist`)
	}
	if len(m.Parameters) != len(st.parameters) {
		return nil, failed("08P01", "the number of arguments is wrong")
	}
	p := &portal{statement: st}
	for i := range st.columns {
		p.formats = append(p.formats, format(m.ResultFormatCodes, i))
	}
	for i, b := range m.Parameters {
		arg, err := decode(v.types, st.parameters[i], format(m.ParameterFormatCodes, i), b)
		if err != nil {
			return nil, err
		}
		p.args = append(p.args, arg)
	}
	return p, nil
}

// format is the i-th of the format codes, of which one stands for all and none for text.
func format(codes []int16, i int) int16 {
	switch len(codes) {
	case 0:
		return pgtype.TextFormatCode
	case 1:
		return codes[0]
	}
	return codes[i]
}
