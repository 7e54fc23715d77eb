package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"
	"unicode/utf8"
)

// Code names a refusal, as the specification spells it.
type Code string

func (c Code) Error() string { return string(c) }

// Limits bound an encoding (wire.md §1.3).
type Limits struct{ Bytes, Depth, Items int }

var defaultLimits = Limits{Bytes: 1 << 20, Depth: 32, Items: 65536}

// Values of CBOR are int64, []byte, string, []any, Map, Tag, bool and nil (wire.md §1.1).
type (
	// Map has keys of int64 and string.
	Map map[any]any
	// Tag is tag 18, the only one.
	Tag struct{ Value any }
)

const maxInt = 1<<53 - 1

// decode reads one canonical item that is all of b (wire.md §1.4).
func decode(b []byte, l Limits) (any, error) {
	if len(b) > l.Bytes {
		return nil, Code("cbor_too_large")
	}
	d := decoder{b: b, l: l}
	v, err := d.item(0)
	if err != nil {
		return nil, err
	}
	if d.at < len(b) {
		return nil, Code("cbor_trailing")
	}
	return v, nil
}

type decoder struct {
	b         []byte
	at, items int
	l         Limits
}

func (d *decoder) left() uint64 { return uint64(len(d.b) - d.at) }

func (d *decoder) item(depth int) (any, error) {
	if d.items >= d.l.Items {
		return nil, Code("cbor_too_many_items")
	}
	d.items++
	if d.left() == 0 {
		return nil, Code("cbor_truncated")
	}
	major, a := d.b[d.at]>>5, d.b[d.at]&31
	d.at++
	if major == 7 {
		switch {
		case a == 20 || a == 21:
			return a == 21, nil
		case a == 22:
			return nil, nil
		case a < 25:
			return nil, Code("cbor_simple")
		case a < 28:
			return nil, Code("cbor_float")
		case a < 31:
			return nil, Code("cbor_reserved")
		}
		return nil, Code("cbor_indefinite")
	}
	if a > 27 {
		if a < 31 || major < 2 || major == 6 {
			return nil, Code("cbor_reserved")
		}
		return nil, Code("cbor_indefinite")
	}
	n, err := d.argument(a)
	if err != nil {
		return nil, err
	}
	if major >= 4 && depth == d.l.Depth {
		return nil, Code("cbor_too_deep")
	}
	switch major {
	case 0, 1:
		// -1 - n is in range up to n = 2^53 - 2.
		if n > maxInt-uint64(major) {
			return nil, Code("cbor_integer_range")
		}
		if major == 1 {
			return -1 - int64(n), nil
		}
		return int64(n), nil
	case 2, 3:
		if n > d.left() {
			return nil, Code("cbor_truncated")
		}
		s := d.b[d.at : d.at+int(n)]
		d.at += int(n)
		if major == 2 {
			return bytes.Clone(s), nil
		}
		if !utf8.Valid(s) {
			return nil, Code("cbor_utf8")
		}
		return string(s), nil
	case 4:
		if n > d.left() {
			return nil, Code("cbor_truncated")
		}
		list := []any{}
		for ; n > 0; n-- {
			v, err := d.item(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case 5:
		return d.entries(n, depth)
	}
	if n != 18 {
		return nil, Code("cbor_tag")
	}
	v, err := d.item(depth + 1)
	return Tag{v}, err
}

func (d *decoder) argument(a byte) (uint64, error) {
	if a < 24 {
		return uint64(a), nil
	}
	size := 1 << (a - 24)
	if d.left() < uint64(size) {
		return 0, Code("cbor_truncated")
	}
	var full [8]byte
	copy(full[8-size:], d.b[d.at:])
	d.at += size
	n := binary.BigEndian.Uint64(full[:])
	if n < map[int]uint64{1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size] {
		return 0, Code("cbor_not_shortest")
	}
	return n, nil
}

func (d *decoder) entries(n uint64, depth int) (any, error) {
	if n > d.left()/2 {
		return nil, Code("cbor_truncated")
	}
	m := Map{}
	var before []byte
	for i := uint64(0); i < n; i++ {
		if d.left() == 0 {
			return nil, Code("cbor_truncated")
		}
		if t := d.b[d.at] >> 5; t != 0 && t != 1 && t != 3 {
			return nil, Code("cbor_key_type")
		}
		start := d.at
		key, err := d.item(depth + 1)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			switch c := bytes.Compare(d.b[start:d.at], before); {
			case c == 0:
				return nil, Code("cbor_key_duplicate")
			case c < 0:
				return nil, Code("cbor_key_order")
			}
		}
		before = d.b[start:d.at]
		if m[key], err = d.item(depth + 1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// encode gives the one form of a value (wire.md §1.2). Other Go types are a fault of the caller.
func encode(v any) []byte { return appendItem(nil, v) }

func appendItem(b []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return appendItem(b, int64(v))
	case int64:
		if v < 0 {
			return appendHead(b, 1, uint64(-1-v))
		}
		return appendHead(b, 0, uint64(v))
	case []byte:
		return append(appendHead(b, 2, uint64(len(v))), v...)
	case string:
		return append(appendHead(b, 3, uint64(len(v))), v...)
	case []any:
		b = appendHead(b, 4, uint64(len(v)))
		for _, e := range v {
			b = appendItem(b, e)
		}
		return b
	case Map:
		type entry struct{ key, value []byte }
		var entries []entry
		for k, e := range v {
			entries = append(entries, entry{encode(k), encode(e)})
		}
		sort.Slice(entries, func(i, j int) bool { return bytes.Compare(entries[i].key, entries[j].key) < 0 })
		b = appendHead(b, 5, uint64(len(v)))
		for _, e := range entries {
			b = append(append(b, e.key...), e.value...)
		}
		return b
	case Tag:
		return appendItem(appendHead(b, 6, 18), v.Value)
	case bool:
		if v {
			return append(b, 0xf5)
		}
		return append(b, 0xf4)
	case nil:
		return append(b, 0xf6)
	}
	panic(fmt.Sprintf("no value of CBOR: %T", v))
}

func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// list makes an array of CBOR of a slice.
func list[T any](s []T) []any {
	l := make([]any, len(s))
	for i, e := range s {
		l[i] = e
	}
	return l
}
