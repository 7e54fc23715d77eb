package evidence

import (
	"slices"
	"strings"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/cid"
)

// A rule says whether a value is as a piece of CDDL asks, spec/evidence.md §3.
type rule func(cbor.Value) bool

// field is a member of a map.
type field struct {
	name     string
	rule     rule
	optional bool
}

func required(name string, r rule) field { return field{name, r, false} }
func optional(name string, r rule) field { return field{name, r, true} }

// object is a map with the given members and no other ones.
func object(fields ...field) rule {
	return func(v cbor.Value) bool {
		m, ok := v.(cbor.Map)
		if !ok || !members(m, fields) {
			return false
		}
		return !slices.ContainsFunc(m, func(e cbor.Entry) bool {
			name, ok := e.Key.(cbor.Text)
			return !ok || !slices.ContainsFunc(fields, func(f field) bool { return f.name == string(name) })
		})
	}
}

// openObject is a map with the given members, and perhaps others named by text.
func openObject(fields ...field) rule {
	return func(v cbor.Value) bool {
		m, ok := v.(cbor.Map)
		if !ok || !members(m, fields) {
			return false
		}
		return !slices.ContainsFunc(m, func(e cbor.Entry) bool {
			_, ok := e.Key.(cbor.Text)
			return !ok
		})
	}
}

func members(m cbor.Map, fields []field) bool {
	for _, f := range fields {
		v := m.Get(cbor.Text(f.name))
		if v == nil && f.optional {
			continue
		}
		if v == nil || !f.rule(v) {
			return false
		}
	}
	return true
}

// list is an array of least to most elements.
func list(least, most int, element rule) rule {
	return func(v cbor.Value) bool {
		a, ok := v.(cbor.Array)
		return ok && len(a) >= least && len(a) <= most &&
			!slices.ContainsFunc(a, func(v cbor.Value) bool { return !element(v) })
	}
}

// text is text of 1 to n bytes.
func text(n int) rule {
	return func(v cbor.Value) bool {
		s, ok := v.(cbor.Text)
		return ok && len(s) >= 1 && len(s) <= n
	}
}

// byteString is a byte string of least to most bytes.
func byteString(least, most int) rule {
	return func(v cbor.Value) bool {
		b, ok := v.(cbor.Bytes)
		return ok && len(b) >= least && len(b) <= most
	}
}

// between is an integer from least to most.
func between(least, most int64) rule {
	return func(v cbor.Value) bool {
		n, ok := v.(cbor.Int)
		return ok && int64(n) >= least && int64(n) <= most
	}
}

// oneOf is one of some texts.
func oneOf(texts ...string) rule {
	return func(v cbor.Value) bool {
		s, ok := v.(cbor.Text)
		return ok && slices.Contains(texts, string(s))
	}
}

func either(a, b rule) rule {
	return func(v cbor.Value) bool { return a(v) || b(v) }
}

// The named pieces of §3.
var (
	unsigned rule = between(0, cbor.MaxInt)
	positive rule = between(1, cbor.MaxInt)
)

func anything(cbor.Value) bool { return true }

func boolean(v cbor.Value) bool {
	_, ok := v.(cbor.Bool)
	return ok
}

func name(v cbor.Value) bool {
	s, ok := v.(cbor.Text)
	return ok && isName(string(s))
}

const maxHandle = 512

func handle(v cbor.Value) bool {
	s, ok := v.(cbor.Text)
	return ok && len(s) <= maxHandle && strings.HasPrefix(string(s), "holo://")
}

func anyCID(v cbor.Value) bool {
	b, ok := v.(cbor.Bytes)
	if !ok {
		return false
	}
	_, err := cid.Decode(b)
	return err == nil
}

func blockCID(v cbor.Value) bool {
	b, ok := v.(cbor.Bytes)
	if !ok {
		return false
	}
	c, err := cid.Decode(b)
	return err == nil && c.IsBlock()
}

// Members of maps whose form was checked. A member that is not there is the zero
// value.

func textOf(m cbor.Map, key string) string {
	s, _ := m.Get(cbor.Text(key)).(cbor.Text)
	return string(s)
}

func intOf(m cbor.Map, key string) int64 {
	n, _ := m.Get(cbor.Text(key)).(cbor.Int)
	return int64(n)
}

func bytesOf(m cbor.Map, key string) []byte {
	b, _ := m.Get(cbor.Text(key)).(cbor.Bytes)
	return b
}

func arrayOf(m cbor.Map, key string) cbor.Array {
	a, _ := m.Get(cbor.Text(key)).(cbor.Array)
	return a
}

func mapOf(m cbor.Map, key string) cbor.Map {
	n, _ := m.Get(cbor.Text(key)).(cbor.Map)
	return n
}

func has(m cbor.Map, key string) bool { return m.Get(cbor.Text(key)) != nil }

// isName says whether s is a name, §1.1.
func isName(s string) bool {
	if len(s) < 1 || len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if len(label) < 1 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// within says whether a name is within another, §1.1.
func within(name, other string) bool {
	return name == other || strings.HasSuffix(name, "."+other)
}
