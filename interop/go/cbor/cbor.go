// Package cbor reads and writes the profile of CBOR that spec/wire.md §1
// defines: a value has exactly one encoding, and everything else is refused.
//
// Decoding is strict and bounded. Whatever [Decode] accepts, [Encode] writes as
// the same bytes again.
package cbor

import (
	"bytes"
	"fmt"
)

// Codes of refusals, spec/wire.md §6.
const (
	CodeTooLarge     = "cbor_too_large"
	CodeTrailing     = "cbor_trailing"
	CodeTooManyItems = "cbor_too_many_items"
	CodeTruncated    = "cbor_truncated"
	CodeSimple       = "cbor_simple"
	CodeFloat        = "cbor_float"
	CodeReserved     = "cbor_reserved"
	CodeIndefinite   = "cbor_indefinite"
	CodeNotShortest  = "cbor_not_shortest"
	CodeIntegerRange = "cbor_integer_range"
	CodeUTF8         = "cbor_utf8"
	CodeKeyType      = "cbor_key_type"
	CodeKeyOrder     = "cbor_key_order"
	CodeKeyDuplicate = "cbor_key_duplicate"
	CodeTag          = "cbor_tag"
	CodeTooDeep      = "cbor_too_deep"
)

// Error is a refusal. At is the offset at which reading stopped, for people:
// two readers agree on the code, not necessarily on the offset. An encoder
// leaves it 0.
type Error struct {
	Code string
	At   int
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Code, e.At) }

// MaxInt is the largest integer of the profile; -MaxInt is the least.
const MaxInt = 1<<53 - 1

// TagCOSESign1 is the only tag of the profile.
const TagCOSESign1 = 18

// Limits bound an encoding, spec/wire.md §1.3.
type Limits struct {
	MaxBytes int // bytes of the whole encoding
	MaxDepth int // arrays, maps and tags inside each other
	MaxItems int // containers, tagged values, keys and plain values
}

// DefaultLimits are those that hold unless a message's document sets others.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 20, MaxDepth: 32, MaxItems: 1 << 16}
}

// Value is one of [Int], [Bytes], [Text], [Array], [Map], [Tagged], [Bool] and
// [Null].
type Value interface{ isValue() }

// The kinds of values of spec/wire.md §1.1.
type (
	// Int is an integer from -MaxInt to MaxInt.
	Int int64
	// Bytes is a byte string.
	Bytes []byte
	// Text is a text string of valid UTF-8.
	Text string
	// Array is a list of values.
	Array []Value
	// Map is a list of entries. One that was decoded is sorted by its
	// encoded keys; one to be encoded may have its entries in any order.
	Map []Entry
	// Tagged is a value with the tag 18.
	Tagged struct{ Content Value }
	// Bool is true or false.
	Bool bool
	// Null is null.
	Null struct{}
)

// Entry is a key, which is an [Int] or a [Text], and its value.
type Entry struct{ Key, Value Value }

func (Int) isValue()    {}
func (Bytes) isValue()  {}
func (Text) isValue()   {}
func (Array) isValue()  {}
func (Map) isValue()    {}
func (Tagged) isValue() {}
func (Bool) isValue()   {}
func (Null) isValue()   {}

// Get returns the value under a key, or nil if there is none.
func (m Map) Get(key Value) Value {
	for _, e := range m {
		if e.Key == key { // keys are Int or Text, which compare by value
			return e.Value
		}
	}
	return nil
}

// Equal says whether two values have the same encoding. It is false if either
// one cannot be encoded.
func Equal(a, b Value) bool {
	x, errX := Encode(a, DefaultLimits())
	y, errY := Encode(b, DefaultLimits())
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
