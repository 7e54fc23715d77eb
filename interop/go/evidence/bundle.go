package evidence

import (
	"crypto/sha256"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/cid"
)

// Bundle is receipts that were verified with all that it took, spec/evidence.md
// §5.
type Bundle struct {
	Receipts    []*Receipt
	Delegations []*Delegation
	Keys        []Key
	Blocks      [][]byte
}

// BundleMaxBytes is the size of the largest bundle unless configured.
const BundleMaxBytes = 1 << 20

var (
	envelopeBytes = byteString(1, maxEnvelope)

	receiptEnvelopes = list(1, 2, envelopeBytes)

	bundleRule = object(
		required("receipts", list(1, 200, receiptEnvelopes)),
		optional("keys", list(1, 64, keyRule)),
		optional("delegations", list(1, 64, envelopeBytes)),
		optional("blocks", list(1, 64, byteString(1, 262_144))),
	)
)

// VerifyBundle verifies a bundle of at most maxBytes, §5.2.
func VerifyBundle(b []byte, roots []Root, check Check, maxBytes int) (*Bundle, error) {
	v, err := decode(b, cbor.Limits{MaxBytes: maxBytes, MaxDepth: 8, MaxItems: 4096})
	if err != nil {
		return nil, err
	}
	if !bundleRule(v) {
		return nil, refuse(CodeSchemaMismatch, "bundle")
	}
	m := v.(cbor.Map)
	bundle := &Bundle{}
	for _, v := range arrayOf(m, "keys") {
		key, err := readCOSEKey(v)
		if err != nil {
			return nil, err // cannot be: the rule has read it
		}
		bundle.Keys = append(bundle.Keys, key)
	}
	for _, v := range arrayOf(m, "blocks") {
		bundle.Blocks = append(bundle.Blocks, v.(cbor.Bytes))
	}
	for _, v := range arrayOf(m, "delegations") {
		d, err := ReadDelegation(v.(cbor.Bytes))
		if err != nil {
			return nil, err
		}
		bundle.Delegations = append(bundle.Delegations, d)
	}

	verifier := NewVerifier(roots, bundle.Delegations, bundle.Keys, check)
	for _, v := range arrayOf(m, "receipts") {
		var envelopes [][]byte
		for _, e := range v.(cbor.Array) {
			envelopes = append(envelopes, e.(cbor.Bytes))
		}
		r, err := verifier.Receipt(envelopes)
		if err != nil {
			return nil, err
		}
		bundle.Receipts = append(bundle.Receipts, r)
	}
	for _, d := range bundle.Delegations {
		if err := verifier.authority.check(d.Envelope, 0); err != nil {
			return nil, err
		}
	}
	if err := bundle.checkSurplus(); err != nil {
		return nil, err
	}
	return bundle, bundle.checkBlocks()
}

// checkSurplus is the steps 5 and 6 of §5.2.
func (b *Bundle) checkSurplus() error {
	signed := map[KID]bool{}
	for _, r := range b.Receipts {
		for _, e := range r.Signers {
			signed[e.KID] = true
		}
	}
	for _, d := range b.Delegations {
		signed[d.KID] = true
	}

	keys := map[Key]bool{}
	for _, k := range b.Keys {
		if !signed[k.KID()] || keys[k] {
			return refuse(CodeBundleSurplus, "key "+k.KID().String())
		}
		keys[k] = true
	}
	envelopes := map[[sha256.Size]byte]bool{}
	for _, d := range b.Delegations {
		if !signed[d.Lent.KID()] || envelopes[d.ID] {
			return refuse(CodeBundleSurplus, "delegation "+d.CID().String())
		}
		envelopes[d.ID] = true
	}
	for _, r := range b.Receipts {
		for _, e := range r.Signers {
			if envelopes[e.ID] {
				return refuse(CodeBundleSurplus, "receipt "+e.CID().String())
			}
			envelopes[e.ID] = true
		}
	}
	return nil
}

// checkBlocks is the step 7 of §5.2.
func (b *Bundle) checkBlocks() error {
	// A block has the content that the reference says, so that its digest alone
	// decides whether it is the one.
	used := map[[sha256.Size]byte]bool{}
	for _, block := range b.Blocks {
		digest := sha256.Sum256(block)
		if _, twice := used[digest]; twice {
			return refuse(CodeBundleSurplus, "a block twice")
		}
		used[digest] = false
	}
	for _, r := range b.Receipts {
		for _, member := range []string{"policyRef", "trace"} {
			if !has(r.Members, member) { // only a resolution has a trace
				continue
			}
			c, err := cid.Decode(bytesOf(r.Members, member))
			if err != nil {
				return err // cannot be: the receipt's rule has read it
			}
			if _, ok := used[c.Digest]; !ok {
				return refuse(CodeReferenceMissing, c.String())
			}
			used[c.Digest] = true
		}
	}
	for _, isUsed := range used {
		if !isUsed {
			return refuse(CodeBundleSurplus, "a block that nothing refers to")
		}
	}
	return nil
}
