package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"math/big"
	"slices"
	"testing"

	"catalyst.internal/interop/evidence"
)

// TestSmallOrderR signs with the nonce 0, so that R is the neutral element and
// S = k·a. The equation of §2.2 holds, and Go accepts it; the y of R is 1, so
// that here it is invalid all the same.
func TestSmallOrderR(t *testing.T) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	public := private.Public().(ed25519.PublicKey)
	message := []byte("message")
	r := append([]byte{1}, make([]byte, 31)...)

	little := func(b []byte) *big.Int {
		b = slices.Clone(b)
		slices.Reverse(b)
		return new(big.Int).SetBytes(b)
	}
	order, _ := new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	h := sha512.Sum512(private.Seed())
	h[0] &= 0xf8
	h[31] = h[31]&0x7f | 0x40
	k := sha512.Sum512(slices.Concat(r, public, message))
	product := new(big.Int).Mul(little(h[:32]), little(k[:]))
	s := product.Mod(product, order).FillBytes(make([]byte, 32))
	slices.Reverse(s)
	signature := slices.Concat(r, s)

	if !ed25519.Verify(public, message, signature) {
		t.Fatal("Go refuses it; the test shows nothing")
	}
	key, err := evidence.ReadKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if key.Verify(message, signature) {
		t.Error("R of small order is accepted")
	}
}
