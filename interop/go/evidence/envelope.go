package evidence

import (
	"crypto/ed25519"
	"crypto/sha256"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/cid"
)

// maxEnvelope is the size of the largest envelope in bytes.
const maxEnvelope = 4096

// envelopeLimits hold for an envelope, and anew for its protected header and its
// payload.
var envelopeLimits = cbor.Limits{MaxBytes: maxEnvelope, MaxDepth: 8, MaxItems: 1024}

// Algorithms of signatures.
const (
	AlgorithmEdDSA   = -8
	AlgorithmEd25519 = -19
)

// Labels of the protected header, and of the claims.
const (
	labelAlgorithm = 1
	labelCritical  = 2
	labelKID       = 4
	labelClaims    = 15
	labelType      = 16

	claimIssuer    = 1
	claimSubject   = 2
	claimAudience  = 3
	claimExpiry    = 4
	claimNotBefore = 5
	claimIssuedAt  = 6
	claimNonce     = 7
)

// Envelope is a statement that was read, spec/evidence.md §1. Nothing in it is
// verified: that is what [Verifier.Statement] is for. Times are in seconds.
type Envelope struct {
	ID        [sha256.Size]byte // the msgId
	Algorithm int
	KID       KID
	Type      string

	Issuer    string
	Subject   string
	Audience  string // "" without one
	Expiry    *int64
	NotBefore *int64
	IssuedAt  int64
	Nonce     []byte

	Payload []byte // not looked at yet

	signed    []byte // what the signature is over, §1.3
	signature []byte
}

// CID is the name by which others refer to the statement, §1.2.
func (e *Envelope) CID() cid.CID { return cid.CID{Content: cid.CBOR, Hash: cid.SHA256, Digest: e.ID} }

// signedBy says whether the signature is valid under a key.
func (e *Envelope) signedBy(key Key) bool { return key.Verify(e.signed, e.signature) }

// ReadEnvelope reads a statement, §1.4.
func ReadEnvelope(b []byte) (*Envelope, error) {
	v, err := decode(b, envelopeLimits)
	if err != nil {
		return nil, err
	}
	tagged, _ := v.(cbor.Tagged)
	parts, _ := tagged.Content.(cbor.Array)
	if len(parts) != 4 {
		return nil, refuse(CodeEnvelopeForm, "not a COSE_Sign1")
	}
	protected, ok := parts[0].(cbor.Bytes)
	if !ok {
		return nil, refuse(CodeEnvelopeForm, "protected header")
	}
	unprotected, ok := parts[1].(cbor.Map)
	if !ok {
		return nil, refuse(CodeEnvelopeForm, "unprotected header")
	}
	payload, attached := parts[2].(cbor.Bytes)
	if _, null := parts[2].(cbor.Null); !attached && !null {
		return nil, refuse(CodeEnvelopeForm, "payload")
	}
	signature, ok := parts[3].(cbor.Bytes)
	if !ok || len(signature) != ed25519.SignatureSize {
		return nil, refuse(CodeEnvelopeForm, "signature")
	}
	if len(unprotected) > 0 {
		return nil, refuse(CodeHeaderUnprotected, "")
	}
	if !attached {
		return nil, refuse(CodePayloadDetached, "")
	}

	signed, err := cbor.Encode(
		cbor.Array{cbor.Text("Signature1"), protected, cbor.Bytes{}, payload}, cbor.DefaultLimits())
	if err != nil {
		return nil, err // cannot be: both are within an envelope
	}
	e := &Envelope{ID: sha256.Sum256(b), Payload: payload, signed: signed, signature: signature}
	if err := e.readHeader(protected); err != nil {
		return nil, err
	}
	return e, nil
}

// readHeader is the steps 4 to 6 of §1.4.
func (e *Envelope) readHeader(protected []byte) error {
	header := cbor.Map{}
	if len(protected) > 0 {
		v, err := decode(protected, envelopeLimits)
		if err != nil {
			return err
		}
		m, ok := v.(cbor.Map)
		if !ok {
			return refuse(CodeHeaderInvalid, "not a map")
		}
		header = m
	}

	if header.Get(cbor.Int(labelCritical)) != nil {
		return refuse(CodeHeaderCritical, "")
	}
	for _, entry := range header {
		switch entry.Key {
		case cbor.Int(labelAlgorithm), cbor.Int(labelKID), cbor.Int(labelClaims), cbor.Int(labelType):
		default:
			return refuse(CodeHeaderUnknown, "")
		}
	}

	var claims cbor.Map
	for _, label := range []struct {
		key     cbor.Int
		about   string
		invalid string
		read    func(cbor.Value) bool
	}{
		{labelAlgorithm, "algorithm", CodeAlgorithmUnsupported, func(v cbor.Value) bool {
			n, ok := v.(cbor.Int)
			e.Algorithm = int(n)
			return ok && (n == AlgorithmEdDSA || n == AlgorithmEd25519)
		}},
		{labelKID, "kid", CodeHeaderInvalid, func(v cbor.Value) bool {
			b, ok := v.(cbor.Bytes)
			return ok && copy(e.KID[:], b) == len(b) && len(b) == len(e.KID)
		}},
		{labelClaims, "claims", CodeHeaderInvalid, func(v cbor.Value) bool {
			m, ok := v.(cbor.Map)
			claims = m
			return ok
		}},
		{labelType, "type", CodeHeaderInvalid, func(v cbor.Value) bool {
			s, ok := v.(cbor.Text)
			e.Type = string(s)
			return ok && isType(e.Type)
		}},
	} {
		v := header.Get(label.key)
		if v == nil {
			return refuse(CodeHeaderMissing, label.about)
		}
		if !label.read(v) {
			return refuse(label.invalid, label.about)
		}
	}
	return e.readClaims(claims)
}

// isType says whether s can be the type of a payload.
func isType(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 128
}

// readClaims is the steps 7 and 8 of §1.4.
func (e *Envelope) readClaims(claims cbor.Map) error {
	for _, entry := range claims {
		if key, ok := entry.Key.(cbor.Int); !ok || key < claimIssuer || key > claimNonce {
			return refuse(CodeClaimUnknown, "")
		}
	}
	for _, key := range []cbor.Int{claimIssuer, claimSubject, claimIssuedAt, claimNonce} {
		if claims.Get(key) == nil {
			return refuse(CodeClaimMissing, "")
		}
	}

	moment := func(v cbor.Value) *int64 {
		n := int64(v.(cbor.Int))
		return &n
	}
	for _, entry := range claims {
		var ok bool
		switch v := entry.Value; entry.Key {
		case cbor.Int(claimIssuer):
			if ok = name(v); ok {
				e.Issuer = string(v.(cbor.Text))
			}
		case cbor.Int(claimSubject):
			if ok = text(512)(v); ok {
				e.Subject = string(v.(cbor.Text))
			}
		case cbor.Int(claimAudience):
			if ok = name(v); ok {
				e.Audience = string(v.(cbor.Text))
			}
		case cbor.Int(claimExpiry):
			if ok = unsigned(v); ok {
				e.Expiry = moment(v)
			}
		case cbor.Int(claimNotBefore):
			if ok = unsigned(v); ok {
				e.NotBefore = moment(v)
			}
		case cbor.Int(claimIssuedAt):
			if ok = unsigned(v); ok {
				e.IssuedAt = *moment(v)
			}
		case cbor.Int(claimNonce):
			if ok = byteString(16, 16)(v); ok {
				e.Nonce = v.(cbor.Bytes)
			}
		}
		if !ok {
			return refuse(CodeClaimInvalid, "")
		}
	}
	if e.Expiry != nil {
		if *e.Expiry <= e.IssuedAt || e.NotBefore != nil && *e.Expiry <= *e.NotBefore {
			return refuse(CodeClaimInvalid, "expiry")
		}
	}
	return nil
}
