package evidence

import (
	"bytes"

	"catalyst.internal/interop/cbor"
)

// TypeReceipt is the type of a receipt.
const TypeReceipt = "application/vnd.catalyst.receipt+cbor"

// Receipt says that something was done, spec/evidence.md §4.
type Receipt struct {
	Kind    string
	Scope   string      // "federation" for the older word "fed"
	Members cbor.Map    // all of the payload, as it was signed
	Signers []*Envelope // one or two
}

// receiptKind is a kind's CDDL, and the conditions below it.
type receiptKind struct {
	rule  rule
	holds func(cbor.Map) bool // nil for none
}

// kind makes the rule of a kind from the members that are not common.
func kind(fields ...field) rule {
	return object(append(fields,
		required("kind", anything), // it has chosen this rule
		required("scope", oneOf("local", "org", "federation", "public", "fed")),
		optional("policyRef", blockCID),
		optional("capabilityRef", blockCID),
	)...)
}

var (
	class = oneOf("hot", "warm", "cold")

	provided = receiptKind{rule: kind(
		required("cid", anyCID),
		required("class", class),
		required("until", unsigned),
		required("site", text(128)),
	)}
)

// receiptKinds are the kinds of §4.2.
var receiptKinds = map[string]receiptKind{
	"storage": {rule: kind(
		required("cid", anyCID),
		required("size", unsigned),
		required("added", unsigned),
		optional("namespace", text(253)),
	)},
	"pin": {rule: kind(
		required("cid", anyCID),
		required("action", oneOf("pin", "unpin")),
		required("class", class),
		optional("until", unsigned),
	)},
	"placement": {rule: kind(
		required("cid", anyCID),
		required("dataShards", between(1, 255)),
		required("parityShards", between(0, 255)),
		required("places", list(1, 32, object(
			required("site", text(128)),
			optional("shard", unsigned),
		))),
	)},
	"scrub": {kind(
		required("startedAt", unsigned),
		required("endedAt", unsigned),
		required("objects", unsigned),
		required("bytes", unsigned),
		required("samplePermille", between(1, 1000)),
		required("faults", unsigned),
		required("repaired", unsigned),
		required("findings", list(0, 16, object(
			required("cid", anyCID),
			required("firstLeaf", unsigned),
			required("leaves", positive),
			required("repaired", boolean),
		))),
	), endsAfterStart},
	"binding": {rule: kind(
		required("handle", handle),
		required("cid", anyCID),
		optional("epoch", unsigned),
		required("revision", unsigned),
		optional("previous", anyCID),
		optional("statementRef", blockCID),
	)},
	"link": {kind(
		required("action", oneOf("link", "unlink")),
		optional("from", anyCID),
		optional("name", text(1024)),
		optional("namespace", text(253)),
		required("to", anyCID),
		required("relation", text(128)),
	), linksOne},
	"gc-report": {kind(
		required("startedAt", unsigned),
		required("endedAt", unsigned),
		required("roots", unsigned),
		required("kept", unsigned),
		required("freed", unsigned),
		required("freedBytes", unsigned),
	), endsAfterStart},
	"provide":  provided,
	"withdraw": provided,
	"resolve": {kind(
		required("query", either(handle, anyCID)),
		required("asOf", unsigned),
		optional("selected", anyCID),
		required("trace", blockCID),
	), func(m cbor.Map) bool { return has(m, "policyRef") }},
	"transfer": {kind(
		required("session", byteString(16, 16)),
		required("provider", name),
		required("client", name),
		required("cid", anyCID),
		required("window", unsigned),
		required("final", boolean),
		required("ranges", list(0, 32, object(
			required("start", unsigned),
			required("end", positive),
		))),
		required("bytes", unsigned),
		required("duplicateBytes", unsigned),
		required("badBytes", unsigned),
		required("unconfirmedBytes", unsigned),
		required("durationMs", unsigned),
		required("fromSite", text(128)),
		required("toSite", text(128)),
		required("resumes", unsigned),
		required("handoffs", unsigned),
		optional("previous", blockCID),
		optional("grantRef", blockCID),
		optional("pathEvidenceRef", blockCID),
	), transfersRanges},
	"subscribe": {rule: kind(
		required("interest", either(handle, anyCID)),
		required("action", oneOf("start", "stop")),
		required("peer", name),
		optional("reason", text(128)),
	)},
}

func endsAfterStart(m cbor.Map) bool { return intOf(m, "startedAt") <= intOf(m, "endedAt") }

// linksOne: from an object or from a name, and in the latter case the relation
// is "name".
func linksOne(m cbor.Map) bool {
	return has(m, "from") != has(m, "name") && (!has(m, "name") || textOf(m, "relation") == "name")
}

// transfersRanges: between two, with no window before the first, and ranges that
// ascend and do not touch.
func transfersRanges(m cbor.Map) bool {
	if textOf(m, "provider") == textOf(m, "client") {
		return false
	}
	if intOf(m, "window") == 0 && has(m, "previous") {
		return false
	}
	before := int64(-1)
	for _, v := range arrayOf(m, "ranges") {
		start, end := intOf(v.(cbor.Map), "start"), intOf(v.(cbor.Map), "end")
		if start <= before || start >= end {
			return false
		}
		before = end
	}
	return true
}

// readReceipt reads the payload of a receipt.
func readReceipt(v cbor.Value) (*Receipt, error) {
	m, _ := v.(cbor.Map)
	named, ok := m.Get(cbor.Text("kind")).(cbor.Text)
	if !ok {
		return nil, refuse(CodeSchemaMismatch, "no kind")
	}
	known, ok := receiptKinds[string(named)]
	if !ok {
		return nil, refuse(CodeKindUnknown, string(named))
	}
	if !known.rule(m) || known.holds != nil && !known.holds(m) {
		return nil, refuse(CodeSchemaMismatch, string(named))
	}
	scope := textOf(m, "scope")
	if scope == "fed" {
		scope = "federation"
	}
	return &Receipt{Kind: string(named), Scope: scope, Members: m}, nil
}

// Receipt verifies a receipt that one party signed, or two, §4.3.
func (v *Verifier) Receipt(envelopes [][]byte) (*Receipt, error) {
	if len(envelopes) < 1 || len(envelopes) > 2 {
		return nil, refuse(CodeSchemaMismatch, "neither one nor two envelopes")
	}
	var statements []*Statement
	var signers []*Envelope
	for _, b := range envelopes {
		s, err := v.Statement(b, TypeReceipt)
		if err != nil {
			return nil, err
		}
		if s.Audience != "" || s.NotBefore != nil || s.Expiry != nil {
			return nil, refuse(CodeClaimInvalid, "a receipt with an audience, a beginning or an expiry")
		}
		statements, signers = append(statements, s), append(signers, s.Envelope)
	}
	if len(signers) == 2 {
		if !bytes.Equal(signers[0].Payload, signers[1].Payload) {
			return nil, refuse(CodePayloadsDiffer, "")
		}
		if signers[0].KID == signers[1].KID || signers[0].Issuer == signers[1].Issuer {
			return nil, refuse(CodeSignersEqual, signers[0].Issuer)
		}
	}
	r, err := readReceipt(statements[0].Content)
	if err != nil {
		return nil, err
	}
	r.Signers = signers
	for _, s := range signers {
		if s.Subject != "receipt:"+r.Kind {
			return nil, refuse(CodeSubjectUnexpected, s.Subject)
		}
	}
	if r.Kind == "transfer" {
		for _, s := range signers {
			if s.Issuer != textOf(r.Members, "provider") && s.Issuer != textOf(r.Members, "client") {
				return nil, refuse(CodeSignerUnexpected, s.Issuer)
			}
		}
	}
	return r, nil
}

// receiptFileLimits are those of a file with two envelopes.
var receiptFileLimits = cbor.Limits{MaxBytes: 8208, MaxDepth: 8, MaxItems: 1024}

// ReadReceiptFile takes the envelopes of a receipt out of a file, §4.4.
func ReadReceiptFile(b []byte) ([][]byte, error) {
	if len(b) == 0 || b[0]>>5 != 4 {
		return [][]byte{b}, nil
	}
	v, err := decode(b, receiptFileLimits)
	if err != nil {
		return nil, err
	}
	if !receiptEnvelopes(v) {
		return nil, refuse(CodeSchemaMismatch, "not one or two envelopes")
	}
	var envelopes [][]byte
	for _, envelope := range v.(cbor.Array) {
		envelopes = append(envelopes, envelope.(cbor.Bytes))
	}
	return envelopes, nil
}
