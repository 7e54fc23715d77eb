package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
)

// load reads the cases of a file of vectors into T, each with its name.
func load[T any](t *testing.T, file string, check func(t *testing.T, c T)) {
	t.Helper()
	root := os.Getenv("SPEC_VECTORS")
	if root == "" {
		root = "../../spec/vectors"
	}
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Vectors []json.RawMessage }
	if err := json.Unmarshal(b, &all); err != nil || len(all.Vectors) == 0 {
		t.Fatal(file, err)
	}
	for _, raw := range all.Vectors {
		var name struct{ Name string }
		var c T
		json.Unmarshal(raw, &name)
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(file, name.Name, err)
		}
		t.Run(name.Name, func(t *testing.T) { check(t, c) })
	}
	t.Logf("%s: %d cases", file, len(all.Vectors))
}

// Hex is bytes that are written in hexadecimal.
type Hex []byte

func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return
}

func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	if err != code {
		t.Errorf("%v, not %s", err, code)
	}
}

func wantSame(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(plain(t, got), plain(t, want)) {
		t.Errorf("got  %v\nwant %v", plain(t, got), plain(t, want))
	}
}

// plain is a value as JSON has it.
func plain(t *testing.T, v any) (out any) {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.Decode(&out)
	return
}

type limits struct{ MaxBytes, MaxDepth, MaxItems, MaxFrameBytes int }

func TestCBOR(t *testing.T) {
	load(t, "cbor/good.json", func(t *testing.T, c struct {
		Hex   Hex
		Value json.RawMessage
	}) {
		v, err := decode(c.Hex, defaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(v), c.Hex) {
			t.Errorf("encodes to %x", encode(v))
		}
		if !bytes.Equal(encode(fromJSON(t, c.Value)), c.Hex) {
			t.Errorf("the value encodes to %x", encode(fromJSON(t, c.Value)))
		}
	})
	load(t, "cbor/bad.json", func(t *testing.T, c struct {
		Hex    Hex
		Code   Code
		Limits limits
	}) {
		l := defaultLimits
		for _, o := range []struct{ from, to *int }{{&c.Limits.MaxBytes, &l.Bytes}, {&c.Limits.MaxDepth, &l.Depth}, {&c.Limits.MaxItems, &l.Items}} {
			if *o.from > 0 {
				*o.to = *o.from
			}
		}
		_, err := decode(c.Hex, l)
		wantCode(t, err, c.Code)
	})
}

// fromJSON reads the notation of vectors/README.md.
func fromJSON(t *testing.T, raw json.RawMessage) any {
	if raw[0] == '{' {
		var o struct {
			Bytes *Hex
			Map   [][2]json.RawMessage
			Value json.RawMessage
		}
		json.Unmarshal(raw, &o)
		switch {
		case o.Bytes != nil:
			return []byte(*o.Bytes)
		case o.Value != nil:
			return Tag{fromJSON(t, o.Value)}
		}
		m := Map{}
		for _, e := range o.Map {
			m[fromJSON(t, e[0])] = fromJSON(t, e[1])
		}
		return m
	}
	if raw[0] == '[' {
		var l []json.RawMessage
		json.Unmarshal(raw, &l)
		out := []any{}
		for _, e := range l {
			out = append(out, fromJSON(t, e))
		}
		return out
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n
	}
	var v any
	json.Unmarshal(raw, &v)
	return v
}

func TestFrames(t *testing.T) {
	type stream struct {
		Hex      Hex
		Payloads []Hex
		Limits   limits
		Code     Code
	}
	check := func(t *testing.T, c stream) {
		most := int64(1 << 20)
		if c.Limits.MaxFrameBytes > 0 {
			most = int64(c.Limits.MaxFrameBytes)
		}
		r := bytes.NewReader(c.Hex)
		for _, want := range c.Payloads {
			if got, err := readFrame(r, most); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v", got, err)
			}
		}
		if _, err := readFrame(r, most); c.Code != "" {
			wantCode(t, err, c.Code)
		} else if r.Len() > 0 || err == nil {
			t.Error("more", err)
		}
	}
	load(t, "frame/good.json", check)
	load(t, "frame/bad.json", check)
}

// members shows a message as the vectors do.
func members(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]string{"bytes": hex.EncodeToString(v)}
	case Map:
		out := map[string]any{}
		for k, e := range v {
			n, _ := k.(int64)
			out[strconv.FormatInt(n, 10)] = members(e)
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, members(e))
		}
		return out
	}
	return v
}

func TestSessionMessages(t *testing.T) {
	kinds := map[string]any{"open": &Open{}, "accept": Accept{}, "keepalive": Keepalive{}, "message": Message{}, "credit": Credit{}, "notification": Notification{}}
	load(t, "session/message/good.json", func(t *testing.T, c struct {
		Kind    string
		Hex     Hex
		Members map[string]any
		Later   bool
	}) {
		msg, err := parseMessage(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.TypeOf(msg) != reflect.TypeOf(kinds[c.Kind]) {
			t.Errorf("%T", msg)
		}
		raw, _ := decode(c.Hex, defaultLimits)
		wantSame(t, members(raw), c.Members)
		if written := encode(msg.(interface{ cbor() Map }).cbor()); !c.Later && !bytes.Equal(written, c.Hex) {
			t.Errorf("written %x", written)
		}
	})
	load(t, "session/message/bad.json", func(t *testing.T, c struct {
		Hex  Hex
		Code Code
	}) {
		_, err := parseMessage(c.Hex)
		wantCode(t, err, c.Code)
	})
}

type agreementCase struct {
	Role        string
	Own, Theirs Hex
	Certificate *struct {
		ID            *SpiffeID
		KeyThumbprint Hex
	}
	Expected   string
	Admitted   []string
	Code       Code
	Transcript Hex
	Agreed     any
}

func (c agreementCase) judge(t *testing.T) (*Agreement, *Fault) {
	own, err := parseMessage(c.Own)
	theirs, err2 := parseMessage(c.Theirs)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	var id *Identity
	if c.Certificate != nil {
		id = &Identity{c.Certificate.ID, c.Certificate.KeyThumbprint}
	}
	return judge(own.(*Open), theirs.(*Open), c.Role == "dialler", id, c.Expected, func(p string) error {
		if !slices.Contains(c.Admitted, p) {
			return errors.New("not " + p)
		}
		return nil
	})
}

func TestAgreement(t *testing.T) {
	load(t, "session/agreement/good.json", func(t *testing.T, c agreementCase) {
		a, f := c.judge(t)
		if f != nil {
			t.Fatal(f)
		}
		amount := func(a Amount) map[string]any { return map[string]any{"messages": a.Messages, "bytes": a.Bytes} }
		var protocols []any
		for _, c := range a.Channels {
			protocols = append(protocols, map[string]any{"name": c.Name, "version": c.Version, "send": amount(c.SendWindow), "receive": amount(c.ReceiveWindow)})
		}
		wantSame(t, map[string]any{"unavailable": a.Unavailable, "version": a.Version, "holdMs": a.HoldMs, "maxFrameBytes": a.MaxFrame, "protocols": protocols}, c.Agreed)
		got := transcript(c.Own, c.Theirs)
		if c.Role == "listener" {
			got = transcript(c.Theirs, c.Own)
		}
		if !bytes.Equal(got, c.Transcript) {
			t.Errorf("transcript %x", got)
		}
	})
	load(t, "session/agreement/bad.json", func(t *testing.T, c agreementCase) {
		if _, f := c.judge(t); f == nil || f.Code != c.Code {
			t.Errorf("%v, not %s", f, c.Code)
		}
	})
}

type creditCase struct {
	Window Amount
	Side   string
	Steps  []struct {
		Send, Receive, Take *int
		Admitted            bool
		Credit              []int64
	}
	Code Code
}

func TestCredit(t *testing.T) {
	check := func(t *testing.T, c creditCase) {
		ch := &Channel{SendWindow: c.Window, ReceiveWindow: c.Window}
		for i, s := range c.Steps {
			var f *Fault
			switch {
			case s.Send != nil:
				if ch.fits(*s.Send) != s.Admitted {
					t.Fatal("step", i)
				}
				if s.Admitted {
					ch.send(*s.Send)
				}
			case s.Receive != nil:
				f = ch.receive(*s.Receive)
			case s.Take != nil:
				ch.take(*s.Take)
				if ch.due() != (s.Credit != nil) {
					t.Fatal("step", i)
				}
				if ch.due() {
					wantSame(t, []int64{ch.taken.Messages, ch.taken.Bytes}, s.Credit)
					ch.told = ch.taken
				}
			default:
				f = ch.credit(Amount{s.Credit[0], s.Credit[1]})
			}
			if last := i == len(c.Steps)-1 && c.Code != ""; last != (f != nil) || last && f.Code != c.Code {
				t.Errorf("step %d: %v", i, f)
			}
		}
	}
	load(t, "session/credit/good.json", check)
	load(t, "session/credit/bad.json", check)
}

func TestCollision(t *testing.T) {
	load(t, "session/collision/good.json", func(t *testing.T, c struct {
		Own, Peer   string
		Incarnation Hex
		Rival       struct {
			DialledBy   string
			Incarnation Hex
		}
		Stays string
	}) {
		if stays := rivalStays(c.Own, c.Peer, c.Incarnation, c.Rival.DialledBy == "peer", c.Rival.Incarnation); stays != (c.Stays == "rival") {
			t.Error(stays)
		}
	})
}

func shownRoutes(routes []Routes) []any {
	out := []any{}
	for _, r := range routes {
		out = append(out, map[string]any{"origin": r.Origin, "services": r.Services})
	}
	return out
}

func shown(msg any) any {
	switch m := msg.(type) {
	case Update:
		var announced any
		if a := m.Announced; a != nil {
			announced = map[string]any{"origin": a.Origin, "attributes": hex.EncodeToString(a.Attributes), "services": a.Services, "healthy": a.Healthy}
		}
		return map[string]any{"kind": "update", "withdrawn": shownRoutes(m.Withdrawn), "announced": announced}
	case EndOfRib:
		return map[string]any{"kind": "end-of-rib", "refresh": m.Refresh}
	case Refresh:
		return map[string]any{"kind": "refresh", "number": m.Number}
	case Health:
		return map[string]any{"kind": "health", "unhealthy": shownRoutes(m.Unhealthy), "healthy": shownRoutes(m.Healthy)}
	}
	return nil
}

func TestPeeringMessages(t *testing.T) {
	load(t, "peering/message/good.json", func(t *testing.T, c struct {
		Hex     Hex
		Message any
	}) {
		msg, err := parsePeering(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, shown(msg), c.Message)
		if msg != nil {
			if written := encode(msg.(interface{ cbor() Map }).cbor()); !bytes.Equal(written, c.Hex) {
				t.Errorf("written %x", written)
			}
		}
	})
	load(t, "peering/message/bad.json", func(t *testing.T, c struct {
		Hex   Hex
		Zeros int
		Code  Code
	}) {
		if c.Zeros > 0 {
			c.Hex = make([]byte, c.Zeros)
		}
		_, err := parsePeering(c.Hex)
		wantCode(t, err, c.Code)
	})
}

type attributesValue struct {
	Organisation, Protocol   string
	NextHop                  NextHop
	NodePath, OrgPath        []string
	LocalPref, Metric        int64
	NoExport                 bool
	Expiry                   *int64
	Labels                   map[string]string
	SchemaDigest, OriginFact *Hex
}

func (v attributesValue) attributes() *Attributes {
	a := &Attributes{v.Organisation, v.Protocol, v.NextHop, v.NodePath, v.OrgPath, v.LocalPref, v.Metric, v.NoExport, v.Expiry, v.Labels, nil, nil}
	if v.SchemaDigest != nil {
		a.SchemaDigest = *v.SchemaDigest
	}
	if v.OriginFact != nil {
		a.OriginFact = *v.OriginFact
	}
	return a
}

func TestAttributes(t *testing.T) {
	load(t, "peering/attributes/good.json", func(t *testing.T, c struct {
		Hex, Written Hex
		Value        attributesValue
	}) {
		a, err := parseAttributes(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, a, c.Value.attributes())
		if c.Written == nil {
			c.Written = c.Hex
		}
		if !bytes.Equal(encode(a.cbor()), c.Written) {
			t.Errorf("written %x", encode(a.cbor()))
		}
	})
	load(t, "peering/attributes/bad.json", func(t *testing.T, c struct {
		Hex  Hex
		Code Code
	}) {
		_, err := parseAttributes(c.Hex)
		wantCode(t, err, c.Code)
	})
}

func TestImport(t *testing.T) {
	load(t, "peering/import/cases.json", func(t *testing.T, c struct {
		Node, Peer, Origin, Service string
		Attributes                  Hex
		Now                         int64
		Refused                     Code
	}) {
		a, err := parseAttributes(c.Attributes)
		if err != nil {
			t.Fatal(err)
		}
		if rule := importRule(c.Node, c.Peer, c.Origin, c.Service, a, c.Now); rule != c.Refused {
			t.Errorf("%q, not %q", rule, c.Refused)
		}
	})
}

func TestExport(t *testing.T) {
	load(t, "peering/export/cases.json", func(t *testing.T, c struct {
		Node, Peer string
		NextHop    NextHop
		Route      attributesValue
		Sent       *Hex
	}) {
		a := export(c.Node, c.NextHop, c.Peer, c.Route.attributes())
		if (a == nil) != (c.Sent == nil) || a != nil && !bytes.Equal(encode(a.cbor()), *c.Sent) {
			t.Errorf("%+v", a)
		}
	})
}

func TestBestPath(t *testing.T) {
	load(t, "peering/best-path/cases.json", func(t *testing.T, c struct {
		Node      string
		Paths     []Path
		DecidedBy []string
	}) {
		for i, by := range c.DecidedBy {
			if order, why := better(c.Node, c.Paths[i], c.Paths[i+1]); order >= 0 || why != by {
				t.Error(order, why)
			}
		}
	})
}
