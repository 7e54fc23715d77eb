package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand"
	"testing"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/evidence"
	"catalyst.internal/interop/internal/vectors"
)

// typeTest is the type of the statements in evidence-envelope.
const typeTest = "application/vnd.catalyst.test+cbor"

// root is a root in the notation of the vectors, with no member overlooked.
type root struct{ evidence.Root }

func (r *root) UnmarshalJSON(b []byte) error {
	var members map[string]string
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for m := range members {
		switch m {
		case "name", "covers", "kid", "key":
		default:
			return errors.New("a root with the member " + m)
		}
	}
	return json.Unmarshal(b, &r.Root)
}

// given is what a check is made with.
type given struct {
	Roots    []root `json:"roots"`
	AsOf     int64  `json:"asOf"`
	Audience string `json:"audience"`
}

func (g given) roots() (roots []evidence.Root) {
	for _, r := range g.Roots {
		roots = append(roots, r.Root)
	}
	return roots
}

func (g given) check() evidence.Check {
	return evidence.Check{AsOf: g.AsOf, Audience: g.Audience, Skew: evidence.DefaultSkew}
}

// refusal is what a bad case is refused with.
type refusal struct {
	Code  string `json:"code"`
	Cause string `json:"cause"`
}

func (want refusal) check(t *testing.T, err error) {
	t.Helper()
	if want.Code == "" {
		t.Fatal("a bad case without a code")
	}
	var got *evidence.Error
	if !errors.As(err, &got) || got.Code != want.Code {
		t.Fatalf("got %v, want %s", err, want.Code)
	}
	var cause *cbor.Error
	if want.Cause != "" && (!errors.As(err, &cause) || cause.Code != want.Cause) {
		t.Errorf("got %v, want the cause %s", err, want.Cause)
	}
}

func bytesOf(list []vectors.Hex) (out [][]byte) {
	for _, b := range list {
		out = append(out, b)
	}
	return out
}

// encodes checks that a value of the vectors has exactly these bytes.
func encodes(t *testing.T, v vectors.Value, want []byte) {
	t.Helper()
	got, err := cbor.Encode(v.Value, cbor.DefaultLimits())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the value encodes to %x, %v", got, err)
	}
}

func TestRFC8032(t *testing.T) {
	type signatureCase struct {
		Name      string      `json:"name"`
		Seed      vectors.Hex `json:"seed"`
		Key       vectors.Hex `json:"key"`
		Message   vectors.Hex `json:"message"`
		Signature vectors.Hex `json:"signature"`
	}
	for _, c := range vectors.Cases[signatureCase](t, "ed25519/rfc8032.json") {
		t.Run(c.Name, func(t *testing.T) {
			private := ed25519.NewKeyFromSeed(c.Seed)
			if !bytes.Equal(private.Public().(ed25519.PublicKey), c.Key) {
				t.Error("the seed has another key")
			}
			key, err := evidence.ReadKey(c.Key)
			if err != nil {
				t.Fatal(err)
			}
			if !key.Verify(c.Message, c.Signature) {
				t.Error("not valid")
			}
			if key.Verify(append(c.Message, 0), c.Signature) {
				t.Error("valid for another message")
			}
		})
	}
}

func TestWycheproof(t *testing.T) {
	var file struct {
		Algorithm     string         `json:"algorithm"`
		Schema        string         `json:"schema"`
		NumberOfTests int            `json:"numberOfTests"`
		Header        []string       `json:"header"`
		Notes         map[string]any `json:"notes"`
		TestGroups    []struct {
			Type      string `json:"type"`
			Source    any    `json:"source"`
			PublicKey struct {
				Type  string      `json:"type"`
				Curve string      `json:"curve"`
				Size  int         `json:"keySize"`
				PK    vectors.Hex `json:"pk"`
			} `json:"publicKey"`
			DER   string         `json:"publicKeyDer"`
			PEM   string         `json:"publicKeyPem"`
			JWK   map[string]any `json:"publicKeyJwk"`
			Tests []struct {
				ID      int         `json:"tcId"`
				Comment string      `json:"comment"`
				Flags   []string    `json:"flags"`
				Message vectors.Hex `json:"msg"`
				Sig     vectors.Hex `json:"sig"`
				Result  string      `json:"result"`
			} `json:"tests"`
		} `json:"testGroups"`
	}
	vectors.Load(t, "ed25519/wycheproof.json", &file)
	results := map[string]int{}
	for _, g := range file.TestGroups {
		for _, c := range g.Tests {
			results[c.Result]++
			key, err := evidence.ReadKey(g.PublicKey.PK)
			if valid := err == nil && key.Verify(c.Message, c.Sig); valid != (c.Result == "valid") {
				t.Errorf("%d %s: %t, want %s", c.ID, c.Comment, valid, c.Result)
			}
		}
	}
	if n := results["valid"] + results["invalid"]; n != file.NumberOfTests {
		t.Errorf("%v of %d", results, file.NumberOfTests)
	}
	t.Log(results)
}

// TestRefusedKeys are the inputs of §2.2 that are decided before a library is
// asked, each with either sign of x.
func TestRefusedKeys(t *testing.T) {
	ones := bytes.Repeat([]byte{0xff}, 32)
	littleEndian := func(last ...byte) []byte {
		b := make([]byte, 32)
		copy(b, last)
		return b
	}
	p := func(add int) []byte {
		b := bytes.Clone(ones)
		b[0], b[31] = byte(0xed+add), 0x7f
		return b
	}
	for _, y := range [][]byte{littleEndian(0), littleEndian(1), p(-1), p(0), p(1), p(5), ones} {
		for _, sign := range []byte{0, 0x80} {
			b := bytes.Clone(y)
			b[31] |= sign
			if _, err := evidence.ReadKey(b); err == nil {
				t.Errorf("%x is a key", b)
			}
		}
	}
	for _, b := range [][]byte{nil, ones[:31], append(bytes.Clone(ones), 1)} {
		if _, err := evidence.ReadKey(b); err == nil {
			t.Errorf("%x is a key", b)
		}
	}
	if _, err := evidence.ReadKey(p(-2)); err != nil {
		t.Errorf("the key with y = p - 2 is refused, but not by §2.2")
	}
}

type envelopeCase struct {
	Name        string        `json:"name"`
	Hex         vectors.Hex   `json:"hex"`
	Delegations []vectors.Hex `json:"delegations"`
	given
	refusal
}

func (c envelopeCase) verify(b []byte) (*evidence.Statement, error) {
	var delegations []*evidence.Delegation
	for _, b := range c.Delegations {
		d, err := evidence.ReadDelegation(b)
		if err != nil {
			return nil, err
		}
		delegations = append(delegations, d)
	}
	return evidence.NewVerifier(c.roots(), delegations, nil, c.given.check()).Statement(b, typeTest)
}

func TestEnvelopeGood(t *testing.T) {
	for _, c := range vectors.Cases[envelopeCase](t, "evidence-envelope/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			if _, err := c.verify(c.Hex); err != nil {
				t.Error(err)
			}
			v, err := cbor.Decode(c.Hex, cbor.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			encodes(t, vectors.Value{Value: v}, c.Hex)
		})
	}
}

func TestEnvelopeBad(t *testing.T) {
	for _, c := range vectors.Cases[envelopeCase](t, "evidence-envelope/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, err := c.verify(c.Hex)
			c.refusal.check(t, err)
		})
	}
}

// TestEnvelopeExample holds what §1.5 says of the first vector.
func TestEnvelopeExample(t *testing.T) {
	c := vectors.Cases[envelopeCase](t, "evidence-envelope/good.json")[0]
	s, err := c.verify(c.Hex)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(s.ID[:]); got != "3a015e34b6f09d6b8cf700739055f631d3dc1b3656997de5969f7c711429ba81" {
		t.Errorf("msgId %s", got)
	}
	if s.Issuer != "n1.acme.catalyst.internal" || s.Subject != "test" || s.IssuedAt != 1_800_000_000 {
		t.Errorf("read %+v", s.Envelope)
	}
}

// TestEnvelopeMutated changes good statements and their delegations at random.
// The unprotected header is empty, so that nothing of a statement may change.
func TestEnvelopeMutated(t *testing.T) {
	random := rand.New(rand.NewSource(5))
	cases := vectors.Cases[envelopeCase](t, "evidence-envelope/good.json")
	for range 8_000 {
		c := cases[random.Intn(len(cases))]
		b := vectors.Mutate(random, c.Hex)
		if _, err := c.verify(b); err == nil && !bytes.Equal(b, c.Hex) {
			t.Fatalf("%s: changed to %x, and accepted", c.Name, b)
		}
		if len(c.Delegations) == 1 {
			d := vectors.Mutate(random, c.Delegations[0])
			same := bytes.Equal(d, c.Delegations[0])
			c.Delegations = []vectors.Hex{d}
			if _, err := c.verify(c.Hex); err == nil && !same {
				t.Fatalf("%s: its delegation changed to %x, and accepted", c.Name, d)
			}
		}
	}
}

// TestEnvelopeEveryBit flips each bit of good statements.
func TestEnvelopeEveryBit(t *testing.T) {
	for _, c := range vectors.Cases[envelopeCase](t, "evidence-envelope/good.json")[:4] {
		b := bytes.Clone(c.Hex)
		for i := range 8 * len(b) {
			b[i/8] ^= 1 << (i % 8)
			if _, err := c.verify(b); err == nil {
				t.Fatalf("%s: bit %d changed, and accepted", c.Name, i)
			}
			b[i/8] ^= 1 << (i % 8)
		}
	}
}

type receiptCase struct {
	Name      string        `json:"name"`
	Value     vectors.Value `json:"value"`
	Payload   vectors.Hex   `json:"payload"`
	Envelopes []vectors.Hex `json:"envelopes"`
	given
	refusal
}

func (c receiptCase) verify(envelopes [][]byte) (*evidence.Receipt, error) {
	return evidence.NewVerifier(c.roots(), nil, nil, c.given.check()).Receipt(envelopes)
}

func TestReceiptGood(t *testing.T) {
	for _, c := range vectors.Cases[receiptCase](t, "evidence-receipt/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			envelopes := bytesOf(c.Envelopes)
			for n := 1; n <= len(envelopes); n++ {
				r, err := c.verify(envelopes[:n])
				if err != nil {
					t.Fatalf("%d envelopes: %v", n, err)
				}
				if len(r.Signers) != n || !bytes.Equal(r.Signers[n-1].Payload, c.Payload) {
					t.Errorf("%d envelopes: read %+v", n, r)
				}
				if !cbor.Equal(r.Members, c.Value.Value) {
					t.Errorf("read %v", r.Members)
				}
			}
			encodes(t, c.Value, c.Payload)

			// The two forms of a file, §4.4.
			list := cbor.Array{}
			for _, e := range envelopes {
				list = append(list, cbor.Bytes(e))
			}
			file, err := cbor.Encode(list, cbor.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []struct {
				bytes     []byte
				envelopes int
			}{{envelopes[0], 1}, {file, len(envelopes)}} {
				read, err := evidence.ReadReceiptFile(f.bytes)
				if err != nil || len(read) != f.envelopes {
					t.Fatalf("%d envelopes in a file, %v", len(read), err)
				}
				if _, err := c.verify(read); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestReceiptBad(t *testing.T) {
	for _, c := range vectors.Cases[receiptCase](t, "evidence-receipt/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, err := c.verify(bytesOf(c.Envelopes))
			c.refusal.check(t, err)
		})
	}
}

type fileCase struct {
	Name string      `json:"name"`
	Hex  vectors.Hex `json:"hex"`
	given
	refusal
}

func (c fileCase) verify() error {
	envelopes, err := evidence.ReadReceiptFile(c.Hex)
	if err == nil {
		_, err = evidence.NewVerifier(c.roots(), nil, nil, c.given.check()).Receipt(envelopes)
	}
	return err
}

func TestReceiptFileGood(t *testing.T) {
	for _, c := range vectors.Cases[fileCase](t, "evidence-file/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReceiptFileBad(t *testing.T) {
	for _, c := range vectors.Cases[fileCase](t, "evidence-file/bad.json") {
		t.Run(c.Name, func(t *testing.T) { c.refusal.check(t, c.verify()) })
	}
}

type headCase struct {
	Name string      `json:"name"`
	Hex  vectors.Hex `json:"hex"`
	Text *string     `json:"text"`
	Head string      `json:"head"`
	given
	refusal
}

func (c headCase) verify() (evidence.Head, error) {
	if c.Text != nil {
		return evidence.ParseHead(*c.Text)
	}
	h, _, err := evidence.NewVerifier(c.roots(), nil, nil, c.given.check()).AuditHead(c.Hex)
	return h, err
}

func TestAuditHeadGood(t *testing.T) {
	for _, c := range vectors.Cases[headCase](t, "evidence-audit-head/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			head, err := c.verify()
			if err != nil || head.String() != c.Head {
				t.Errorf("head %v, %v", head, err)
			}
			if read, err := evidence.ParseHead(c.Head); err != nil || read != head {
				t.Errorf("read %v, %v", read, err)
			}
		})
	}
}

func TestAuditHeadBad(t *testing.T) {
	for _, c := range vectors.Cases[headCase](t, "evidence-audit-head/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, err := c.verify()
			c.refusal.check(t, err)
		})
	}
}

// TestReceiptMutated changes one of a good receipt's envelopes at random.
func TestReceiptMutated(t *testing.T) {
	random := rand.New(rand.NewSource(6))
	cases := vectors.Cases[receiptCase](t, "evidence-receipt/good.json")
	for range 8_000 {
		c := cases[random.Intn(len(cases))]
		envelopes := bytesOf(c.Envelopes)
		i := random.Intn(len(envelopes))
		envelopes[i] = vectors.Mutate(random, envelopes[i])
		if _, err := c.verify(envelopes); err == nil && !bytes.Equal(envelopes[i], c.Envelopes[i]) {
			t.Fatalf("%s: envelope %d changed to %x, and accepted", c.Name, i, envelopes[i])
		}
	}
}

type bundleCase struct {
	Name string      `json:"name"`
	Hex  vectors.Hex `json:"hex"`
	given
	refusal
}

func (c bundleCase) verify(b []byte) (*evidence.Bundle, error) {
	return evidence.VerifyBundle(b, c.roots(), c.given.check(), evidence.BundleMaxBytes)
}

func TestBundleGood(t *testing.T) {
	for _, c := range vectors.Cases[bundleCase](t, "evidence-bundle/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			b, err := c.verify(c.Hex)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d receipts, %d keys, %d delegations, %d blocks",
				len(b.Receipts), len(b.Keys), len(b.Delegations), len(b.Blocks))
		})
	}
}

func TestBundleBad(t *testing.T) {
	for _, c := range vectors.Cases[bundleCase](t, "evidence-bundle/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, err := c.verify(c.Hex)
			c.refusal.check(t, err)
		})
	}
}

// TestBundleMutated changes good bundles at random. "A change of any byte of it
// shows."
func TestBundleMutated(t *testing.T) {
	random := rand.New(rand.NewSource(7))
	cases := vectors.Cases[bundleCase](t, "evidence-bundle/good.json")
	for range 3_000 {
		c := cases[random.Intn(len(cases))]
		b := vectors.Mutate(random, c.Hex)
		if _, err := c.verify(b); err == nil && !bytes.Equal(b, c.Hex) {
			t.Fatalf("%s: changed to %x, and accepted", c.Name, b)
		}
	}
}

type decisionCase struct {
	Name  string        `json:"name"`
	Value vectors.Value `json:"value"`
	Hex   vectors.Hex   `json:"hex"`
	CID   string        `json:"cid"`
	Text  []string      `json:"text"` // of another implementation
	refusal
}

func TestDecisionGood(t *testing.T) {
	for _, c := range vectors.Cases[decisionCase](t, "evidence-decision/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			d, err := evidence.ReadDecision(c.Hex)
			if err != nil {
				t.Fatal(err)
			}
			if d.CID.String() != c.CID {
				t.Errorf("CID %v", d.CID)
			}
			encodes(t, c.Value, c.Hex)
		})
	}
}

// TestDecisionExample holds the smallest decision, in the text of §6.
func TestDecisionExample(t *testing.T) {
	b, err := hex.DecodeString("a56461734f66006573746570738066696e707574738066726573756c74f6" +
		"687175657374696f6ea1646b696e6465726f757465")
	if err != nil {
		t.Fatal(err)
	}
	d, err := evidence.ReadDecision(b)
	if err != nil {
		t.Fatal(err)
	}
	if d.CID.String() != "bafireihk7hj7kpsibcq54nt55dtfwrxg3ohlckmnongivmkl43mpnl6a5q" {
		t.Errorf("CID %v", d.CID)
	}
}

func TestDecisionBad(t *testing.T) {
	for _, c := range vectors.Cases[decisionCase](t, "evidence-decision/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, err := evidence.ReadDecision(c.Hex)
			c.refusal.check(t, err)
		})
	}
}

// TestDecisionMutated changes good decisions at random. One that is still read
// must have another name.
func TestDecisionMutated(t *testing.T) {
	random := rand.New(rand.NewSource(8))
	cases := vectors.Cases[decisionCase](t, "evidence-decision/good.json")
	for range 50_000 {
		c := cases[random.Intn(len(cases))]
		b := vectors.Mutate(random, c.Hex)
		if d, err := evidence.ReadDecision(b); err == nil && !bytes.Equal(b, c.Hex) && d.CID.String() == c.CID {
			t.Fatalf("%s: changed to %x under the same name", c.Name, b)
		}
	}
}

type auditCase struct {
	Name    string        `json:"name"`
	Entries []vectors.Hex `json:"entries"`
	Known   []string      `json:"known"`
	Head    string        `json:"head"`
	refusal
}

func (c auditCase) verify(t *testing.T, entries [][]byte) (evidence.Head, error) {
	var known []evidence.Head
	for _, text := range c.Known {
		h, err := evidence.ParseHead(text)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, h)
	}
	log := evidence.NewLog(known...)
	for _, e := range entries {
		if _, err := log.Add(e); err != nil {
			return evidence.Head{}, err
		}
	}
	return log.End()
}

func TestAuditGood(t *testing.T) {
	for _, c := range vectors.Cases[auditCase](t, "evidence-audit/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			head, err := c.verify(t, bytesOf(c.Entries))
			if err != nil {
				t.Fatal(err)
			}
			if head.String() != c.Head {
				t.Errorf("head %v", head)
			}
		})
	}
}

func TestAuditBad(t *testing.T) {
	for _, c := range vectors.Cases[auditCase](t, "evidence-audit/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, err := c.verify(t, bytesOf(c.Entries))
			c.refusal.check(t, err)
		})
	}
}

// TestAuditMutated changes an entry of a good log at random. Either it is
// refused, or the head shows it.
func TestAuditMutated(t *testing.T) {
	random := rand.New(rand.NewSource(9))
	cases := vectors.Cases[auditCase](t, "evidence-audit/good.json")
	for range 20_000 {
		c := cases[random.Intn(len(cases))]
		if len(c.Entries) == 0 {
			continue
		}
		c.Known = nil
		entries := bytesOf(c.Entries)
		i := random.Intn(len(entries))
		entries[i] = vectors.Mutate(random, entries[i])
		head, err := c.verify(t, entries)
		if err == nil && head.String() == c.Head && !bytes.Equal(entries[i], c.Entries[i]) {
			t.Fatalf("%s: entry %d changed to %x under the same head", c.Name, i, entries[i])
		}
	}
}
