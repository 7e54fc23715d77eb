package cbor

import (
	"bytes"
	"unicode/utf8"
)

// Major types of RFC 8949 §3.1.
const (
	majorUnsigned = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// Decode reads the one item that b holds, as spec/wire.md §1.4 says. Byte
// strings of the result share their memory with b.
func Decode(b []byte, limits Limits) (Value, error) {
	if len(b) > limits.MaxBytes {
		return nil, &Error{CodeTooLarge, 0}
	}
	d := decoder{in: b, limits: limits}
	v, err := d.item(0)
	if err != nil {
		return nil, err
	}
	if d.pos < len(b) {
		return nil, &Error{CodeTrailing, d.pos}
	}
	return v, nil
}

type decoder struct {
	in     []byte
	pos    int
	items  int // begun so far
	limits Limits
}

// left is the number of bytes not read yet.
func (d *decoder) left() uint64 { return uint64(len(d.in) - d.pos) }

// item reads an item at a depth.
func (d *decoder) item(depth int) (Value, error) {
	start := d.pos
	refuse := func(code string) (Value, error) { return nil, &Error{code, start} }

	if d.items >= d.limits.MaxItems {
		return refuse(CodeTooManyItems)
	}
	d.items++

	major, info, arg, err := d.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case majorUnsigned:
		if arg > MaxInt {
			return refuse(CodeIntegerRange)
		}
		return Int(arg), nil
	case majorNegative:
		if arg > MaxInt-1 {
			return refuse(CodeIntegerRange)
		}
		return -1 - Int(arg), nil
	case majorBytes, majorText:
		if arg > d.left() {
			return refuse(CodeTruncated)
		}
		s := d.in[d.pos : d.pos+int(arg) : d.pos+int(arg)]
		d.pos += int(arg)
		if major == majorBytes {
			return Bytes(s), nil
		}
		if !utf8.Valid(s) {
			return refuse(CodeUTF8)
		}
		return Text(s), nil
	case majorSimple:
		if info == simpleNull {
			return Null{}, nil
		}
		return Bool(info == simpleTrue), nil
	}

	// What is left are the containers.
	if depth >= d.limits.MaxDepth {
		return refuse(CodeTooDeep)
	}
	switch major {
	case majorArray:
		if arg > d.left() {
			return refuse(CodeTruncated)
		}
		return d.array(int(arg), depth+1)
	case majorMap:
		if arg > d.left()/2 {
			return refuse(CodeTruncated)
		}
		return d.mapping(int(arg), depth+1)
	default:
		if arg != TagCOSESign1 {
			return refuse(CodeTag)
		}
		v, err := d.item(depth + 1)
		if err != nil {
			return nil, err
		}
		return Tagged{v}, nil
	}
}

// Additional information of the simple values.
const (
	simpleFalse = 20
	simpleTrue  = 21
	simpleNull  = 22
)

// head reads an item's head: its major type, additional information and
// argument.
func (d *decoder) head() (major, info byte, arg uint64, err error) {
	start := d.pos
	refuse := func(code string, at int) (byte, byte, uint64, error) {
		return 0, 0, 0, &Error{code, at}
	}
	if d.left() == 0 {
		return refuse(CodeTruncated, len(d.in))
	}
	major, info = d.in[d.pos]>>5, d.in[d.pos]&0x1f
	d.pos++

	if major == majorSimple {
		switch {
		case info >= simpleFalse && info <= simpleNull:
			return major, info, 0, nil
		case info < 25:
			return refuse(CodeSimple, start)
		case info < 28:
			return refuse(CodeFloat, start)
		}
	}
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info == 31 && (major >= majorBytes && major <= majorMap || major == majorSimple):
		return refuse(CodeIndefinite, start)
	case info >= 28:
		return refuse(CodeReserved, start)
	}

	size := 1 << (info - 24)
	if d.left() < uint64(size) {
		return refuse(CodeTruncated, len(d.in))
	}
	for _, c := range d.in[d.pos : d.pos+size] {
		arg = arg<<8 | uint64(c)
	}
	d.pos += size
	// The least argument that needs this many bytes: 24, 2^8, 2^16, 2^32.
	least := uint64(24)
	if size > 1 {
		least = 1 << (4 * size)
	}
	if arg < least {
		return refuse(CodeNotShortest, start)
	}
	return major, info, arg, nil
}

// room is how many of n announced items may be allocated in advance.
func (d *decoder) room(n int) int {
	return min(n, max(0, d.limits.MaxItems-d.items))
}

func (d *decoder) array(n, depth int) (Value, error) {
	a := make(Array, 0, d.room(n))
	for range n {
		v, err := d.item(depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, nil
}

func (d *decoder) mapping(n, depth int) (Value, error) {
	m := make(Map, 0, d.room(n))
	var before []byte // the encoding of the last key
	for i := range n {
		start := d.pos
		if d.left() == 0 {
			return nil, &Error{CodeTruncated, start}
		}
		switch d.in[d.pos] >> 5 {
		case majorUnsigned, majorNegative, majorText:
		default:
			return nil, &Error{CodeKeyType, start}
		}
		key, err := d.item(depth)
		if err != nil {
			return nil, err
		}
		encoded := d.in[start:d.pos]
		if i > 0 {
			switch bytes.Compare(encoded, before) {
			case 0:
				return nil, &Error{CodeKeyDuplicate, start}
			case -1:
				return nil, &Error{CodeKeyOrder, start}
			}
		}
		before = encoded
		v, err := d.item(depth)
		if err != nil {
			return nil, err
		}
		m = append(m, Entry{key, v})
	}
	return m, nil
}
