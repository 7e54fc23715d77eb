package evidence

import "catalyst.internal/interop/cbor"

// DefaultSkew is how far clocks may differ unless configured, in seconds.
const DefaultSkew = 120

// Check is the moment and the reader for whom a statement is verified.
type Check struct {
	AsOf     int64  // seconds since 1970
	Audience string // who asks, or ""
	Skew     int64  // seconds
}

// Verifier verifies statements and receipts, given roots, delegations and
// perhaps keys. It keeps what it found of the delegations, and is not for use by
// several goroutines at once.
type Verifier struct {
	authority *authority
	check     Check
}

// NewVerifier makes a verifier.
func NewVerifier(roots []Root, delegations []*Delegation, keys []Key, check Check) *Verifier {
	return &Verifier{newAuthority(roots, delegations, keys), check}
}

// Statement is a statement that was verified.
type Statement struct {
	*Envelope
	Content cbor.Value // of the payload
}

// Statement verifies a statement of an expected type, spec/evidence.md §2.5.
func (v *Verifier) Statement(b []byte, expected string) (*Statement, error) {
	e, err := ReadEnvelope(b)
	if err != nil {
		return nil, err
	}
	if e.Type != expected {
		return nil, refuse(CodeTypeUnexpected, e.Type)
	}
	if err := v.authority.check(e, 0); err != nil {
		return nil, err
	}
	content, err := decode(e.Payload, envelopeLimits)
	if err != nil {
		return nil, err
	}
	latest := v.check.AsOf + v.check.Skew
	switch {
	case e.Audience != "" && e.Audience != v.check.Audience:
		return nil, refuse(CodeAudienceOther, e.Audience)
	case e.IssuedAt > latest:
		return nil, refuse(CodeIssuedInFuture, "")
	case e.NotBefore != nil && *e.NotBefore > latest:
		return nil, refuse(CodeNotYetValid, "")
	case e.Expiry != nil && *e.Expiry <= v.check.AsOf:
		return nil, refuse(CodeExpired, "")
	}
	return &Statement{e, content}, nil
}
