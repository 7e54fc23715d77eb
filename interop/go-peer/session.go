package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Fault is why a session ends: a refusal of this end, what the other end said, or a lost transport.
type Fault struct {
	Code         Code
	Number       int64 // in a NOTIFICATION; 0 for what is not told
	Text         string
	Protocol     string
	ProtocolCode int64
	ByPeer       bool
}

func (f *Fault) Error() string { return string(f.Code) + ": " + f.Text }

// refuse is a fault that the other end is told.
func refuse(code Code, text string) *Fault {
	return &Fault{Code: code, Number: int64(slices.Index(sessionCodes, code) + 1), Text: text, ProtocolCode: -1}
}

// refusePeering is a fault of cp (peering.md §7).
func refusePeering(code Code) *Fault {
	f := refuse("protocol_error", string(code))
	f.Protocol, f.ProtocolCode = "cp", int64(slices.Index(peeringCodes, code)+1)
	return f
}

func lost(err error) *Fault { return &Fault{Code: "lost", Text: err.Error(), ByPeer: true} }

// notified is a NOTIFICATION that came, with its text fit to be shown (session.md §4.6).
func notified(n Notification) *Fault {
	f := &Fault{Code: "unknown", Number: n.Code, Protocol: n.Protocol, ProtocolCode: n.ProtocolCode, ByPeer: true}
	if n.Code <= int64(len(sessionCodes)) {
		f.Code = sessionCodes[n.Code-1]
	}
	f.Text = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return unicode.ReplacementChar
		}
		return r
	}, n.Text)
	return f
}

// readFault says what a failed read of a frame means.
func readFault(err error) *Fault {
	if err == Code("frame_empty") || err == Code("frame_too_large") {
		return refuse("frame_invalid", err.Error())
	}
	return lost(err)
}

type session struct {
	conn    net.Conn
	own     *Open
	peer    *Open
	agreed  *Agreement
	expires time.Time // of the other end's certificate; zero on a plain transport
}

// config is what an end brings to a session.
type config struct {
	own      *Open
	dialler  bool
	expected string // whom the dialler dialled, "" if it is not known
	cert     *Identity
	admit    func(protocol string) error
	expires  time.Time
}

func newOpen(node, domain string, thumbprint []byte) *Open {
	random := func(n int) []byte { b := make([]byte, n); rand.Read(b); return b }
	return &Open{Versions: []int64{1}, Node: node, Domain: domain, Thumbprint: thumbprint, Incarnation: random(16),
		Nonce: random(32), Purpose: "control", HoldMs: 15000, MaxFrame: 1 << 20,
		Offers: []Offer{{"cp", []int64{1}, Amount{1024, 4 << 20}}}, Capabilities: []string{}, Time: time.Now().UnixMilli()}
}

const openingFrame = 16384 // session.md §4: the longest frame until the ACCEPT was read

// establish opens a session on a transport (session.md §3, §5), by the deadline at the latest.
func establish(conn net.Conn, c config, deadline time.Time) (*session, *Fault) {
	conn.SetDeadline(deadline)
	s := &session{conn: conn, own: c.own, expires: c.expires}
	f := s.open(c)
	if f != nil {
		s.end(f, time.Now().Add(time.Second))
		return nil, f
	}
	conn.SetDeadline(time.Time{})
	return s, nil
}

func (s *session) open(c config) *Fault {
	own := encode(s.own.cbor())
	if c.dialler {
		if f := s.write(own); f != nil {
			return f
		}
	}
	theirs, msg, f := s.read()
	if f != nil {
		return f
	}
	var ok bool
	if s.peer, ok = msg.(*Open); !ok {
		return refuse("message_unexpected", kind(msg)+" in place of OPEN")
	}
	if s.agreed, f = judge(s.own, s.peer, c.dialler, c.cert, c.expected, c.admit); f != nil {
		return f
	}
	var both []byte
	if c.dialler {
		both = transcript(own, theirs)
	} else {
		s.own.Purpose = s.peer.Purpose // §5.1
		own = encode(s.own.cbor())
		both = transcript(theirs, own)
		if f := s.write(own); f != nil {
			return f
		}
	}
	if f := s.write(encode(Accept{both}.cbor())); f != nil {
		return f
	}
	if _, msg, f = s.read(); f != nil {
		return f
	}
	accept, ok := msg.(Accept)
	if !ok {
		return refuse("message_unexpected", kind(msg)+" in place of ACCEPT")
	}
	if !bytes.Equal(accept.Transcript, both) {
		return refuse("open_mismatch", "transcript")
	}
	return nil
}

func kind(msg any) string {
	_, name, _ := strings.Cut(fmt.Sprintf("%T", msg), ".")
	return strings.ToUpper(name)
}

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func (s *session) write(payload []byte) *Fault {
	if _, err := s.conn.Write(frame(payload)); timedOut(err) {
		return refuse("handshake_timeout", "")
	} else if err != nil {
		return lost(err)
	}
	return nil
}

// read reads a message before the session is established.
func (s *session) read() ([]byte, any, *Fault) {
	payload, err := readFrame(s.conn, openingFrame)
	if timedOut(err) {
		return nil, nil, refuse("handshake_timeout", "")
	} else if err != nil {
		return nil, nil, readFault(err)
	}
	msg, err := parseMessage(payload)
	if err != nil {
		return nil, nil, refuse("message_malformed", "")
	}
	if n, ok := msg.(Notification); ok {
		return nil, nil, notified(n)
	}
	return payload, msg, nil
}

// end tells the other end why, unless that ended it or is gone, and closes (session.md §3). What still comes is dropped
// until the other end closes or the deadline: to close on bytes that were not read would reset the connection, and take
// the NOTIFICATION with it.
func (s *session) end(f *Fault, deadline time.Time) {
	defer s.conn.Close()
	if f.ByPeer || f.Number == 0 {
		return
	}
	s.conn.SetDeadline(deadline)
	n := Notification{f.Number, cut(f.Text, 512), f.Protocol, f.ProtocolCode, -1}
	if _, err := s.conn.Write(frame(encode(n.cbor()))); err != nil {
		return
	}
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		io.Copy(io.Discard, s.conn)
	}
}

func cut(s string, n int) string {
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// handler is a protocol above: what it has to send next (nil for nothing), and what came for it.
type handler interface {
	next() (message []byte, sent func())
	message(b []byte) *Fault
	wake()
}

// run is the session in Established, until it ends; stop ends it from this end.
func (s *session) run(protocol string, h handler, wake <-chan time.Time, stop <-chan struct{}) *Fault {
	hold := time.Duration(s.agreed.HoldMs) * time.Millisecond
	channel := s.agreed.channel(protocol)
	frames, out := make(chan received), make(chan []byte)
	failed, done := make(chan error, 1), make(chan struct{})
	var workers sync.WaitGroup
	workers.Add(2)
	go func() { defer workers.Done(); s.readAll(frames, done) }()
	go func() { defer workers.Done(); s.writeAll(out, failed) }()

	held, keepalive := time.NewTimer(hold), time.NewTimer(hold/3)
	keepalives := newBucket(16, hold, time.Now()) // session.md §8
	var expired <-chan time.Time
	if !s.expires.IsZero() {
		expired = time.After(time.Until(s.expires))
	}
	alive, broken := false, false // a KEEPALIVE is due; nothing can be sent

	var f *Fault
	for f == nil {
		// The writer takes a frame when the transport took the one before: so neither CREDIT nor KEEPALIVE piles up (§7).
		var payload []byte
		var sent func()
		switch message, handed := h.next(); {
		case channel.due():
			payload, sent = encode(Credit{channel.Name, channel.taken}.cbor()), func() { channel.told = channel.taken }
		case alive:
			payload, sent = encode(Keepalive{}.cbor()), func() { alive = false; keepalive.Reset(hold / 3) }
		case message != nil && channel.fits(len(message)):
			payload, sent = encode(Message{protocol, message}.cbor()), func() { channel.send(len(message)); handed() }
		}
		var ready chan<- []byte
		if payload != nil && !broken {
			ready = out
		}
		select {
		case r := <-frames:
			if r.err != nil {
				f = readFault(r.err)
				break
			}
			held.Reset(hold)
			f = s.received(r.payload, protocol, h, keepalives)
		case ready <- payload:
			s.conn.SetWriteDeadline(time.Now().Add(hold))
			sent()
		case err := <-failed:
			// Otherwise the other end is gone; what it said before is still to be read.
			if broken = true; timedOut(err) {
				f = refuse("not_reading", "")
			}
		case <-held.C:
			f = refuse("hold_expired", "")
		case <-keepalive.C:
			alive = true
		case <-expired:
			f = refuse("certificate_expired", "")
		case <-wake:
			h.wake()
		case <-stop:
			f = refuse("stopped", "")
		}
	}
	deadline := time.Now().Add(time.Second)
	s.conn.SetReadDeadline(time.Now())
	s.conn.SetWriteDeadline(deadline)
	close(done)
	close(out)
	workers.Wait()
	s.end(f, deadline)
	return f
}

func (s *session) writeAll(out <-chan []byte, failed chan<- error) {
	for payload := range out {
		if _, err := s.conn.Write(frame(payload)); err != nil {
			failed <- err
			return
		}
	}
}

type received struct {
	payload []byte
	err     error
}

func (s *session) readAll(frames chan<- received, done <-chan struct{}) {
	for {
		payload, err := readFrame(s.conn, s.own.MaxFrame)
		select {
		case frames <- received{payload, err}:
		case <-done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (s *session) received(payload []byte, protocol string, h handler, keepalives *bucket) *Fault {
	msg, err := parseMessage(payload)
	if err != nil {
		return refuse("message_malformed", "")
	}
	switch m := msg.(type) {
	case Keepalive:
		if !keepalives.take(1, time.Now()) {
			return refuse("rate_exceeded", "KEEPALIVE")
		}
	case Message:
		c := s.agreed.channel(m.Protocol)
		if c == nil {
			return refuse("message_unexpected", "protocol "+m.Protocol)
		}
		if f := c.receive(len(m.Bytes)); f != nil {
			return f
		}
		c.take(len(m.Bytes))
		if m.Protocol == protocol {
			return h.message(m.Bytes)
		}
	case Credit:
		c := s.agreed.channel(m.Protocol)
		if c == nil {
			return refuse("message_unexpected", "protocol "+m.Protocol)
		}
		return c.credit(m.Taken)
	case Notification:
		return notified(m)
	default:
		return refuse("message_unexpected", kind(m))
	}
	return nil
}
