// Package cid reads and writes content identifiers, spec/wire.md §2: a CIDv1 in
// one form, so that equal text means equal content.
package cid

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
)

// Codes of refusals.
const (
	CodeMalformed   = "cid_malformed"
	CodeUnsupported = "cid_unsupported"
)

// Error is a refusal.
type Error struct{ Code string }

func (e *Error) Error() string { return e.Code }

var (
	errMalformed   = &Error{CodeMalformed}
	errUnsupported = &Error{CodeUnsupported}
)

// Content says what the bytes are that a CID names.
type Content uint32

// The kinds of content.
const (
	Raw  Content = 0x55
	CBOR Content = 0x51
)

func (c Content) String() string {
	switch c {
	case Raw:
		return "raw"
	case CBOR:
		return "cbor"
	}
	return "unknown"
}

// Hash says how the digest is made.
type Hash uint32

// The hashes: that of a block, and the trees with their leaves' sizes.
const (
	SHA256     Hash = 0x12
	Tree16KiB  Hash = 0x300010
	Tree64KiB  Hash = 0x300040
	Tree256KiB Hash = 0x300100
)

func (h Hash) String() string {
	switch h {
	case SHA256:
		return "sha2-256"
	case Tree16KiB:
		return "sha2-256-tree-16KiB"
	case Tree64KiB:
		return "sha2-256-tree-64KiB"
	case Tree256KiB:
		return "sha2-256-tree-256KiB"
	}
	return "unknown"
}

// LeafSize is the size of a tree's leaves in bytes, and 0 for the hash of a
// block.
func (h Hash) LeafSize() uint32 {
	switch h {
	case Tree16KiB, Tree64KiB, Tree256KiB:
		return uint32(h&0xffff) << 10
	}
	return 0
}

// CID is a content identifier. CIDs are equal when all their parts are.
type CID struct {
	Content Content
	Hash    Hash
	Digest  [sha256.Size]byte
}

// OfBlock names a block: bytes that are read in one piece.
func OfBlock(content Content, b []byte) CID {
	return CID{content, SHA256, sha256.Sum256(b)}
}

// IsBlock says whether the CID names a block, and not an object.
func (c CID) IsBlock() bool { return c.Hash == SHA256 }

const version = 1

// Bytes is the form of spec/wire.md §2.1.
func (c CID) Bytes() []byte {
	b := []byte{version}
	b = binary.AppendUvarint(b, uint64(c.Content))
	b = binary.AppendUvarint(b, uint64(c.Hash))
	b = append(b, sha256.Size)
	return append(b, c.Digest[:]...)
}

var base = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String is the text of spec/wire.md §2.2.
func (c CID) String() string { return "b" + base.EncodeToString(c.Bytes()) }

// MarshalText implements [encoding.TextMarshaler].
func (c CID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Parse reads the text of a CID.
func Parse(text string) (CID, error) {
	if len(text) == 0 || len(text) > 128 || text[0] != 'b' {
		return CID{}, errMalformed
	}
	b, err := base.DecodeString(text[1:])
	// Go's decoder leaves out line breaks and does not look at unused bits;
	// both show when the bytes are encoded again.
	if err != nil || base.EncodeToString(b) != text[1:] {
		return CID{}, errMalformed
	}
	return Decode(b)
}

// Decode reads the bytes of a CID, spec/wire.md §2.3.
func Decode(b []byte) (CID, error) {
	var c CID
	v, b, err := varint(b)
	if err != nil {
		return CID{}, err
	}
	if v != version {
		return CID{}, errUnsupported
	}

	if v, b, err = varint(b); err != nil {
		return CID{}, err
	}
	switch c.Content = Content(v); c.Content {
	case Raw, CBOR:
	default:
		return CID{}, errUnsupported
	}

	if v, b, err = varint(b); err != nil {
		return CID{}, err
	}
	switch c.Hash = Hash(v); c.Hash {
	case SHA256, Tree16KiB, Tree64KiB, Tree256KiB:
	default:
		return CID{}, errUnsupported
	}

	if v, b, err = varint(b); err != nil {
		return CID{}, err
	}
	if v != sha256.Size || len(b) != sha256.Size {
		return CID{}, errMalformed
	}
	c.Digest = [sha256.Size]byte(b)
	return c, nil
}

// varint reads an unsigned LEB128 of at most 4 bytes in its shortest form, and
// returns it with the bytes after it.
func varint(b []byte) (v uint32, rest []byte, err error) {
	for i := 0; i < len(b) && i < 4; i++ {
		v |= uint32(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			if b[i] == 0 && i > 0 {
				return 0, nil, errMalformed
			}
			return v, b[i+1:], nil
		}
	}
	return 0, nil, errMalformed
}
