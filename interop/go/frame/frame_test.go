package frame_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"testing"
	"testing/iotest"

	"catalyst.internal/interop/frame"
	"catalyst.internal/interop/internal/vectors"
)

type frameCase struct {
	Name     string        `json:"name"`
	Hex      vectors.Hex   `json:"hex"`
	Payloads []vectors.Hex `json:"payloads"`
	Code     string        `json:"code"`
	Limits   struct {
		MaxFrameBytes *uint32 `json:"maxFrameBytes"`
	} `json:"limits"`
}

// read returns the payloads of a stream's frames, and its fault.
func read(in io.Reader, maxBytes uint32) (payloads [][]byte, err error) {
	r := frame.NewReader(in, maxBytes)
	for {
		p, err := r.Next()
		if err == io.EOF {
			return payloads, nil
		}
		if err != nil {
			return payloads, err
		}
		payloads = append(payloads, p)
	}
}

func check(t *testing.T, c frameCase) {
	limit := uint32(frame.DefaultMaxBytes)
	if c.Limits.MaxFrameBytes != nil {
		limit = *c.Limits.MaxFrameBytes
	}
	for _, in := range []io.Reader{bytes.NewReader(c.Hex), iotest.OneByteReader(bytes.NewReader(c.Hex))} {
		payloads, err := read(in, limit)
		code := ""
		if refusal := (*frame.Error)(nil); errors.As(err, &refusal) {
			code = refusal.Code
		} else if err != nil {
			t.Fatal(err)
		}
		if code != c.Code {
			t.Errorf("got %q, want %q", code, c.Code)
		}
		if len(payloads) != len(c.Payloads) {
			t.Fatalf("%d payloads, want %d", len(payloads), len(c.Payloads))
		}
		for i, p := range payloads {
			if !bytes.Equal(p, c.Payloads[i]) {
				t.Errorf("payload %d is %x", i, p)
			}
		}
	}
}

func TestGood(t *testing.T) {
	for _, c := range vectors.Cases[frameCase](t, "frame/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			check(t, c)
			var stream []byte
			for _, p := range c.Payloads {
				stream = frame.Append(stream, p)
			}
			if !bytes.Equal(stream, c.Hex) {
				t.Errorf("written as %x", stream)
			}
		})
	}
}

func TestBad(t *testing.T) {
	for _, c := range vectors.Cases[frameCase](t, "frame/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			if c.Code == "" {
				t.Fatal("no code")
			}
			check(t, c)
		})
	}
}

// TestMutated changes good streams at random. The frames that are read must be
// what the stream begins with.
func TestMutated(t *testing.T) {
	random := rand.New(rand.NewSource(3))
	cases := vectors.Cases[frameCase](t, "frame/good.json")
	for range 50_000 {
		b := vectors.Mutate(random, cases[random.Intn(len(cases))].Hex)
		payloads, err := read(bytes.NewReader(b), frame.DefaultMaxBytes)
		var again []byte
		for _, p := range payloads {
			again = frame.Append(again, p)
		}
		if !bytes.HasPrefix(b, again) || err == nil && len(again) != len(b) {
			t.Fatalf("%x was read as %x, %v", b, payloads, err)
		}
	}
}
