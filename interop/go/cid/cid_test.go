package cid_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand"
	"testing"

	"catalyst.internal/interop/cid"
	"catalyst.internal/interop/internal/vectors"
)

type goodCase struct {
	Name    string      `json:"name"`
	Content string      `json:"content"`
	Hash    string      `json:"hash"`
	Digest  vectors.Hex `json:"digest"`
	Hex     vectors.Hex `json:"hex"`
	Text    string      `json:"text"`
}

func TestGood(t *testing.T) {
	for _, c := range vectors.Cases[goodCase](t, "cid/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			fromBytes, err := cid.Decode(c.Hex)
			if err != nil {
				t.Fatal(err)
			}
			fromText, err := cid.Parse(c.Text)
			if err != nil {
				t.Fatal(err)
			}
			if fromBytes != fromText {
				t.Errorf("bytes and text differ: %v, %v", fromBytes, fromText)
			}
			if fromText.Content.String() != c.Content || fromText.Hash.String() != c.Hash ||
				!bytes.Equal(fromText.Digest[:], c.Digest) {
				t.Errorf("read %+v", fromText)
			}
			if !bytes.Equal(fromText.Bytes(), c.Hex) || fromBytes.String() != c.Text {
				t.Errorf("wrote %x, %s", fromText.Bytes(), fromBytes)
			}
		})
	}
}

func TestBad(t *testing.T) {
	type badCase struct {
		Name string       `json:"name"`
		Text *string      `json:"text"`
		Hex  *vectors.Hex `json:"hex"`
		Code string       `json:"code"`
	}
	for _, c := range vectors.Cases[badCase](t, "cid/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			var err error
			switch {
			case c.Text != nil:
				_, err = cid.Parse(*c.Text)
			case c.Hex != nil:
				_, err = cid.Decode(*c.Hex)
			}
			var refusal *cid.Error
			if !errors.As(err, &refusal) || refusal.Code != c.Code {
				t.Errorf("got %v, want %s", err, c.Code)
			}
		})
	}
}

// TestExamples holds the examples in the text of spec/wire.md §2.4 and §3.5.
func TestExamples(t *testing.T) {
	for content, text := range map[string]string{
		"":            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
		"hello world": "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
	} {
		if got := cid.OfBlock(cid.Raw, []byte(content)).String(); got != text {
			t.Errorf("%q has the CID %s, want %s", content, got, text)
		}
	}
	object := cid.CID{Content: cid.Raw, Hash: cid.Tree16KiB}
	root, err := hex.DecodeString("30ad80a8abbd89a56f59795970656db1b1e1cfa359bceda4decc042db2c908e8")
	if err != nil {
		t.Fatal(err)
	}
	copy(object.Digest[:], root)
	if got := object.String(); got != "bafkzbagaaeqdblmavcv33cnfn5mxswlqmvw3dmpbz6rvtphnutpmybbnwleqr2a" {
		t.Error(got)
	}
}

// TestMutated changes good CIDs at random. What is still read must be written
// as it was.
func TestMutated(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	cases := vectors.Cases[goodCase](t, "cid/good.json")
	for range 200_000 {
		c := cases[random.Intn(len(cases))]
		b := vectors.Mutate(random, c.Hex)
		if got, err := cid.Decode(b); err == nil && !bytes.Equal(got.Bytes(), b) {
			t.Fatalf("%x was read as %v", b, got)
		}
		text := string(vectors.Mutate(random, []byte(c.Text)))
		if got, err := cid.Parse(text); err == nil && got.String() != text {
			t.Fatalf("%q was read as %v", text, got)
		}
	}
}
