package cbor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf8"
)

// ErrValue is the error of a caller who asks to encode something that is no
// value of the profile: a nil, or a map with a key of another type or twice the
// same one.
var ErrValue = errors.New("cbor: not a value of the profile")

// Encode writes a value in its one form, within limits.
func Encode(v Value, limits Limits) ([]byte, error) {
	e := encoder{limits: limits}
	if err := e.item(v, 0); err != nil {
		return nil, err
	}
	if len(e.out) > limits.MaxBytes {
		return nil, &Error{Code: CodeTooLarge}
	}
	return e.out, nil
}

type encoder struct {
	out    []byte
	items  int
	limits Limits
}

func (e *encoder) item(v Value, depth int) error {
	if e.items >= e.limits.MaxItems {
		return &Error{Code: CodeTooManyItems}
	}
	e.items++

	switch v.(type) {
	case Array, Map, Tagged:
		if depth >= e.limits.MaxDepth {
			return &Error{Code: CodeTooDeep}
		}
	}
	switch v := v.(type) {
	case Int:
		if v > MaxInt || v < -MaxInt {
			return &Error{Code: CodeIntegerRange}
		}
		if v < 0 {
			e.head(majorNegative, uint64(-1-v))
		} else {
			e.head(majorUnsigned, uint64(v))
		}
	case Bytes:
		e.head(majorBytes, uint64(len(v)))
		e.out = append(e.out, v...)
	case Text:
		if !utf8.ValidString(string(v)) {
			return &Error{Code: CodeUTF8}
		}
		e.head(majorText, uint64(len(v)))
		e.out = append(e.out, v...)
	case Array:
		e.head(majorArray, uint64(len(v)))
		for _, element := range v {
			if err := e.item(element, depth+1); err != nil {
				return err
			}
		}
	case Map:
		return e.mapping(v, depth+1)
	case Tagged:
		e.head(majorTag, TagCOSESign1)
		return e.item(v.Content, depth+1)
	case Bool:
		if v {
			e.head(majorSimple, simpleTrue)
		} else {
			e.head(majorSimple, simpleFalse)
		}
	case Null:
		e.head(majorSimple, simpleNull)
	default:
		return ErrValue
	}
	return nil
}

// mapping writes a map's entries sorted by their encoded keys.
func (e *encoder) mapping(m Map, depth int) error {
	type entry struct {
		key   []byte
		value Value
	}
	entries := make([]entry, len(m))
	for i, x := range m {
		switch x.Key.(type) {
		case Int, Text:
		default:
			return &Error{Code: CodeKeyType}
		}
		// A key is a plain value: it counts as an item, and has no depth.
		k := encoder{items: e.items, limits: e.limits}
		if err := k.item(x.Key, depth); err != nil {
			return err
		}
		e.items = k.items
		entries[i] = entry{k.out, x.Value}
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	e.head(majorMap, uint64(len(m)))
	for i, x := range entries {
		if i > 0 && bytes.Equal(x.key, entries[i-1].key) {
			return ErrValue
		}
		e.out = append(e.out, x.key...)
		if err := e.item(x.value, depth); err != nil {
			return err
		}
	}
	return nil
}

// head writes a head in its shortest form.
func (e *encoder) head(major byte, arg uint64) {
	initial := major << 5
	switch {
	case arg < 24:
		e.out = append(e.out, initial|byte(arg))
	case arg < 1<<8:
		e.out = append(e.out, initial|24, byte(arg))
	case arg < 1<<16:
		e.out = binary.BigEndian.AppendUint16(append(e.out, initial|25), uint16(arg))
	case arg < 1<<32:
		e.out = binary.BigEndian.AppendUint32(append(e.out, initial|26), uint32(arg))
	default:
		e.out = binary.BigEndian.AppendUint64(append(e.out, initial|27), arg)
	}
}
