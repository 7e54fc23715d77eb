package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
)

// Key is an Ed25519 key that spec/evidence.md §2.2 does not refuse. One that was
// not made by [ParseKey] or [ReadKey] was not checked.
type Key [ed25519.PublicKeySize]byte

// KID is the thumbprint of a key, RFC 9679.
type KID [sha256.Size]byte

// ErrKey is the error of a key that is refused. Where it was read decides of the
// code.
var ErrKey = errors.New("evidence: not a key")

// ReadKey checks the 32 bytes of a key.
func ReadKey(b []byte) (Key, error) {
	if len(b) != ed25519.PublicKeySize || refusedY(b) {
		return Key{}, ErrKey
	}
	return Key(b), nil
}

// ParseKey reads the text of a key.
func ParseKey(text string) (Key, error) {
	b, err := parse32(text)
	if err != nil {
		return Key{}, err
	}
	return ReadKey(b)
}

// ParseKID reads the text of a kid.
func ParseKID(text string) (KID, error) {
	b, err := parse32(text)
	if err != nil {
		return KID{}, err
	}
	return KID(b), nil
}

func (k Key) String() string  { return base64.RawURLEncoding.EncodeToString(k[:]) }
func (id KID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id KID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// parse32 reads 43 characters of base64url. Go's decoder skips line breaks, but
// then there are too few other characters for 32 bytes.
func parse32(text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) != 43 || len(b) != 32 {
		return nil, errors.New("evidence: not 43 characters of base64url")
	}
	return b, nil
}

// thumbprintPrefix is what the encoding of a key's COSE_Key begins with: the map
// {1: 1, -1: 6, -2: 32 bytes}.
const thumbprintPrefix = "\xa3\x01\x01\x20\x06\x21\x58\x20"

// KID is the key's thumbprint.
func (k Key) KID() KID {
	return sha256.Sum256(append([]byte(thumbprintPrefix), k[:]...))
}

// Verify says whether a signature over a message is valid by §2.2.
func (k Key) Verify(message, signature []byte) bool {
	// What is left to Go after these checks it does as §2.2 asks: it compares
	// the encoding of [S]B - [k]A with R.
	return len(signature) == ed25519.SignatureSize &&
		below(signature[32:], order) &&
		!refusedY(signature[:32]) &&
		ed25519.Verify(k[:], message, signature)
}

// Numbers of §2.2, big-endian.
var (
	prime = fromHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed") // 2^255 - 19
	order = fromHex("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed") // L

	// smallOrder are the y of the points of small order.
	smallOrder = [][]byte{
		fromHex("0000000000000000000000000000000000000000000000000000000000000000"),
		fromHex("0000000000000000000000000000000000000000000000000000000000000001"),
		fromHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec"),
		fromHex("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826"),
		fromHex("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7"),
	}
)

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// refusedY says whether the y of an encoded point is not below p, or that of a
// point of small order.
func refusedY(point []byte) bool {
	y := slices.Clone(point)
	y[31] &= 0x7f // without the sign of x
	if !below(y, prime) {
		return true
	}
	slices.Reverse(y)
	return slices.ContainsFunc(smallOrder, func(s []byte) bool { return bytes.Equal(s, y) })
}

// below compares a little-endian number with a big-endian one of equal length.
func below(little, big []byte) bool {
	n := slices.Clone(little)
	slices.Reverse(n)
	return bytes.Compare(n, big) < 0
}
