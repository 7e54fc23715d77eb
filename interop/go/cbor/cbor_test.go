package cbor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand"
	"testing"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/internal/vectors"
)

type goodCase struct {
	Name  string        `json:"name"`
	Value vectors.Value `json:"value"`
	Hex   vectors.Hex   `json:"hex"`
}

func TestGood(t *testing.T) {
	for _, c := range vectors.Cases[goodCase](t, "cbor/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			encoded, err := cbor.Encode(c.Value.Value, cbor.DefaultLimits())
			if err != nil || !bytes.Equal(encoded, c.Hex) {
				t.Errorf("encoded to %x, %v; want %x", encoded, err, []byte(c.Hex))
			}
			decoded, err := cbor.Decode(c.Hex, cbor.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if !cbor.Equal(decoded, c.Value.Value) {
				t.Errorf("decoded to %v, want %v", decoded, c.Value.Value)
			}
		})
	}
}

func TestBad(t *testing.T) {
	type badCase struct {
		Name   string      `json:"name"`
		Hex    vectors.Hex `json:"hex"`
		Code   string      `json:"code"`
		At     *int        `json:"at"`
		Limits struct {
			MaxBytes *int `json:"maxBytes"`
			MaxDepth *int `json:"maxDepth"`
			MaxItems *int `json:"maxItems"`
		} `json:"limits"`
	}
	for _, c := range vectors.Cases[badCase](t, "cbor/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			limits := cbor.DefaultLimits()
			for to, from := range map[*int]*int{
				&limits.MaxBytes: c.Limits.MaxBytes,
				&limits.MaxDepth: c.Limits.MaxDepth,
				&limits.MaxItems: c.Limits.MaxItems,
			} {
				if from != nil {
					*to = *from
				}
			}
			_, err := cbor.Decode(c.Hex, limits)
			var refusal *cbor.Error
			if !errors.As(err, &refusal) || refusal.Code != c.Code {
				t.Fatalf("got %v, want %s", err, c.Code)
			}
			if c.At != nil && refusal.At != *c.At {
				t.Errorf("stopped at %d, want %d", refusal.At, *c.At)
			}
		})
	}
}

// TestRFC8949 reads the examples of the RFC's appendix A.
func TestRFC8949(t *testing.T) {
	var examples []struct {
		CBOR       string      `json:"cbor"`
		Hex        vectors.Hex `json:"hex"`
		RoundTrip  bool        `json:"roundtrip"`
		Decoded    any         `json:"decoded"`
		Diagnostic string      `json:"diagnostic"`
	}
	var refused struct {
		About   string            `json:"about"`
		Refused map[string]string `json:"refused"`
	}
	vectors.Load(t, "rfc8949/appendix-a.json", &examples)
	vectors.Load(t, "rfc8949/refused.json", &refused)
	accepted := 0
	for _, x := range examples {
		name := hex.EncodeToString(x.Hex)
		want, bad := refused.Refused[name]
		delete(refused.Refused, name)
		v, err := cbor.Decode(x.Hex, cbor.DefaultLimits())
		if bad {
			var refusal *cbor.Error
			if !errors.As(err, &refusal) || refusal.Code != want {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		accepted++
		if again, err := cbor.Encode(v, cbor.DefaultLimits()); err != nil || !bytes.Equal(again, x.Hex) {
			t.Errorf("%s: encoded again to %x, %v", name, again, err)
		}
	}
	if len(refused.Refused) != 0 {
		t.Errorf("refused, but not an example: %v", refused.Refused)
	}
	t.Logf("%d examples, %d accepted", len(examples), accepted)
}

// TestExamples holds the examples in the text of spec/wire.md §1.5.
func TestExamples(t *testing.T) {
	for name, code := range map[string]string{
		"\x18\x17":                             cbor.CodeNotShortest,
		"\x9f\xff":                             cbor.CodeIndefinite,
		"\xf9\x3c\x00":                         cbor.CodeFloat,
		"\xf7":                                 cbor.CodeSimple,
		"\x1b\x00\x20\x00\x00\x00\x00\x00\x00": cbor.CodeIntegerRange,
		"\xa1\x41\x00\x01":                     cbor.CodeKeyType,
		"\xa2\x02\x00\x01\x00":                 cbor.CodeKeyOrder,
		"\xa2\x01\x00\x01\x00":                 cbor.CodeKeyDuplicate,
		"\x63\xed\xa0\x80":                     cbor.CodeUTF8,
		"\x00\x00":                             cbor.CodeTrailing,
	} {
		_, err := cbor.Decode([]byte(name), cbor.DefaultLimits())
		var refusal *cbor.Error
		if !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("%x: got %v, want %s", name, err, code)
		}
	}
	keys := cbor.Array{cbor.Int(23), cbor.Int(24), cbor.Int(1000), cbor.Int(65536), cbor.Int(-1),
		cbor.Int(-25), cbor.Text(""), cbor.Text("a"), cbor.Text("b"), cbor.Text("aa")}
	var m cbor.Map
	for i := range keys {
		m = append(m, cbor.Entry{Key: keys[len(keys)-1-i], Value: cbor.Null{}})
	}
	b, err := cbor.Encode(m, cbor.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	v, err := cbor.Decode(b, cbor.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range v.(cbor.Map) {
		if e.Key != keys[i] {
			t.Errorf("key %d is %v, want %v", i, e.Key, keys[i])
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	limits := cbor.Limits{MaxBytes: 4, MaxDepth: 1, MaxItems: 3}
	one := cbor.Entry{Key: cbor.Int(1), Value: cbor.Null{}}
	for code, v := range map[string]cbor.Value{
		cbor.CodeTooLarge:     cbor.Text("four"),
		cbor.CodeTooDeep:      cbor.Array{cbor.Array{}},
		cbor.CodeTooManyItems: cbor.Array{cbor.Int(1), cbor.Int(1), cbor.Int(1)},
		cbor.CodeIntegerRange: cbor.Int(1 << 53),
		cbor.CodeUTF8:         cbor.Text("\xff"),
		cbor.CodeKeyType:      cbor.Map{{Key: cbor.Bytes{}, Value: cbor.Null{}}},
	} {
		_, err := cbor.Encode(v, limits)
		var refusal *cbor.Error
		if !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("%v: got %v, want %s", v, err, code)
		}
	}
	for _, v := range []cbor.Value{nil, cbor.Map{one, one}} {
		if _, err := cbor.Encode(v, cbor.DefaultLimits()); !errors.Is(err, cbor.ErrValue) {
			t.Errorf("%v: got %v", v, err)
		}
	}
}

// TestMutated changes good encodings at random. None may make the decoder
// panic, and what it accepts must encode to the same bytes.
func TestMutated(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	cases := vectors.Cases[goodCase](t, "cbor/good.json")
	const tries = 300_000
	accepted := 0
	for range tries {
		b := vectors.Mutate(random, cases[random.Intn(len(cases))].Hex)
		v, err := cbor.Decode(b, cbor.DefaultLimits())
		if err != nil {
			continue
		}
		accepted++
		if again, err := cbor.Encode(v, cbor.DefaultLimits()); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x was accepted, but encodes to %x, %v", b, again, err)
		}
	}
	t.Logf("%d inputs, %d accepted", tries, accepted)
}
