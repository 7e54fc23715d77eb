package main

import (
	"encoding/binary"
	"io"
	"slices"
)

// readFrame reads a frame of at most max bytes (wire.md §5). Memory follows what arrives.
func readFrame(r io.Reader, max int64) ([]byte, error) {
	var head [4]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n > 0 && (err == io.EOF || err == io.ErrUnexpectedEOF) {
			return nil, Code("frame_truncated")
		}
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(head[:]))
	if length == 0 {
		return nil, Code("frame_empty")
	}
	if length > max {
		return nil, Code("frame_too_large")
	}
	payload, err := io.ReadAll(io.LimitReader(r, length))
	if err == nil && int64(len(payload)) < length {
		err = Code("frame_truncated")
	}
	return payload, err
}

func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// The messages of a session (session.md §4).
type (
	Open struct {
		Versions                       []int64
		Node, Domain                   string
		Thumbprint, Incarnation, Nonce []byte
		Purpose                        string
		HoldMs, MaxFrame               int64
		Offers                         []Offer
		Capabilities                   []string
		Time                           int64
	}
	Offer struct {
		Name     string
		Versions []int64
		Window   Amount
	}
	Accept    struct{ Transcript []byte }
	Keepalive struct{}
	Message   struct {
		Protocol string
		Bytes    []byte
	}
	Credit struct {
		Protocol string
		Taken    Amount
	}
	Notification struct {
		Code         int64
		Text         string
		Protocol     string // "" if it is left out
		ProtocolCode int64  // -1 if it is left out
		RetryAfterMs int64  // -1 if it is left out
	}
	// Amount is of messages, and of bytes in them.
	Amount struct{ Messages, Bytes int64 }
)

func (o *Open) cbor() Map {
	offers := []any{}
	for _, f := range o.Offers {
		offers = append(offers, Map{int64(1): f.Name, int64(2): list(f.Versions), int64(3): f.Window.Messages, int64(4): f.Window.Bytes})
	}
	return Map{int64(0): 1, int64(1): list(o.Versions), int64(2): o.Node, int64(3): o.Domain, int64(4): o.Thumbprint,
		int64(5): o.Incarnation, int64(6): o.Nonce, int64(7): o.Purpose, int64(8): o.HoldMs, int64(9): o.MaxFrame,
		int64(10): offers, int64(11): list(o.Capabilities), int64(12): o.Time}
}

func (a Accept) cbor() Map  { return Map{int64(0): 2, int64(1): a.Transcript} }
func (Keepalive) cbor() Map { return Map{int64(0): 3} }
func (p Message) cbor() Map { return Map{int64(0): 4, int64(1): p.Protocol, int64(2): p.Bytes} }
func (c Credit) cbor() Map {
	return Map{int64(0): 5, int64(1): c.Protocol, int64(2): c.Taken.Messages, int64(3): c.Taken.Bytes}
}

func (n Notification) cbor() Map {
	m := Map{int64(0): 6, int64(1): n.Code, int64(2): n.Text}
	if n.Protocol != "" {
		m[int64(3)] = n.Protocol
	}
	if n.ProtocolCode >= 0 {
		m[int64(4)] = n.ProtocolCode
	}
	if n.RetryAfterMs >= 0 {
		m[int64(5)] = n.RetryAfterMs
	}
	return m
}

// parseMessage reads the payload of a frame; every fault is message_malformed (session.md §4).
func parseMessage(b []byte) (any, error) {
	v, err := decode(b, Limits{Bytes: len(b), Depth: 4, Items: 1024})
	m, isMap := v.(Map)
	if err != nil || !isMap {
		return nil, Code("message_malformed")
	}
	var msg any
	r := reader{m: m}
	switch m[int64(0)] {
	case int64(1):
		msg = readOpen(&r)
	case int64(2):
		msg = Accept{r.bytes(1, 32, 32)}
		r.keys(0, 1, false)
	case int64(3):
		msg = Keepalive{}
		r.keys(0, 0, false)
	case int64(4):
		msg = Message{r.text(1, isToken), r.bytes(2, 1, len(b))}
		r.keys(0, 2, false)
	case int64(5):
		msg = Credit{r.text(1, isToken), Amount{r.int(2, 0, maxInt), r.int(3, 0, maxInt)}}
		r.keys(0, 3, false)
	case int64(6):
		n := Notification{Code: r.int(1, 1, 65535), Text: r.text(2, func(s string) bool { return len(s) <= 512 }), ProtocolCode: -1, RetryAfterMs: -1}
		if r.has(3) {
			n.Protocol = r.text(3, isToken)
		}
		if r.has(4) {
			n.ProtocolCode = r.int(4, 0, 65535)
		}
		if r.has(5) {
			n.RetryAfterMs = r.int(5, 0, 86400000)
		}
		r.keys(0, 5, true)
		msg = n
	default:
		r.bad = true
	}
	if r.bad {
		return nil, Code("message_malformed")
	}
	return msg, nil
}

func readOpen(r *reader) *Open {
	o := &Open{
		Versions: r.versions(1), Node: r.text(2, isName), Domain: r.text(3, isName),
		Thumbprint: r.bytes(4, 32, 32), Incarnation: r.bytes(5, 16, 16), Nonce: r.bytes(6, 32, 32),
		Purpose: r.text(7, isToken), HoldMs: r.int(8, 1000, 3600000), MaxFrame: r.int(9, 65536, 16777216),
		Time: r.int(12, 0, maxInt),
	}
	for _, e := range r.list(10, 1, 16) {
		m, _ := e.(Map)
		f := reader{m: m}
		offer := Offer{f.text(1, isToken), f.versions(2), Amount{f.int(3, 4, 1048576), f.int(4, 131072, 268435456)}}
		f.keys(1, 4, true)
		if n := len(o.Offers); f.bad || offer.Window.Bytes < 2*o.MaxFrame || n > 0 && o.Offers[n-1].Name >= offer.Name {
			r.bad = true
			break
		}
		o.Offers = append(o.Offers, offer)
	}
	o.Capabilities = elements(r, 11, 0, 64, isToken)
	r.keys(0, 12, true)
	if !ascending(o.Capabilities) || !belongs(o.Node, o.Domain) {
		r.bad = true
	}
	return o
}

// reader takes members out of a map, and remembers if one was not as it ought to be.
type reader struct {
	m   Map
	bad bool
}

func (r *reader) has(key int64) bool { _, ok := r.m[key]; return ok }

func (r *reader) int(key, low, high int64) int64 {
	v, ok := r.m[key].(int64)
	r.bad = r.bad || !ok || v < low || v > high
	return v
}

func (r *reader) text(key int64, good func(string) bool) string {
	v, ok := r.m[key].(string)
	r.bad = r.bad || !ok || !good(v)
	return v
}

func (r *reader) bytes(key int64, low, high int) []byte {
	v, ok := r.m[key].([]byte)
	r.bad = r.bad || !ok || len(v) < low || len(v) > high
	return v
}

func (r *reader) list(key int64, low, high int) []any {
	v, ok := r.m[key].([]any)
	r.bad = r.bad || !ok || len(v) < low || len(v) > high
	return v
}

func elements[T any](r *reader, key int64, low, high int, good func(T) bool) []T {
	out := []T{}
	for _, e := range r.list(key, low, high) {
		v, ok := e.(T)
		r.bad = r.bad || !ok || !good(v)
		out = append(out, v)
	}
	return out
}

func (r *reader) versions(key int64) []int64 {
	v := elements(r, key, 1, 16, func(n int64) bool { return n >= 1 && n <= 65535 })
	r.bad = r.bad || !ascending(v)
	return v
}

// keys refuses all but the integers low to high, and, of later versions, those above.
func (r *reader) keys(low, high int64, later bool) {
	for k := range r.m {
		n, ok := k.(int64)
		r.bad = r.bad || !ok || n < low || n > high && !later
	}
}

func ascending[T int64 | string](s []T) bool {
	for i := 1; i < len(s); i++ {
		if s[i-1] >= s[i] {
			return false
		}
	}
	return true
}

// highest is the highest version in both lists, or 0.
func highest(a, b []int64) int64 {
	for i := len(a) - 1; i >= 0; i-- {
		if slices.Contains(b, a[i]) {
			return a[i]
		}
	}
	return 0
}
