// Package evidence reads and verifies what spec/evidence.md defines: signed
// statements (§1) and whom to believe (§2), receipts (§4), bundles (§5),
// decisions (§6) and audit logs (§7).
//
// It only reads. The functions refuse with an [*Error] whose code is that of the
// first fault that is met when the steps of the specification are followed in
// their order.
package evidence

import (
	"errors"

	"catalyst.internal/interop/cbor"
)

// Codes of refusals, spec/evidence.md §8.
const (
	CodeTooLarge             = "too_large"
	CodeCBORRefused          = "cbor_refused"
	CodeEnvelopeForm         = "envelope_form"
	CodeHeaderUnprotected    = "header_unprotected"
	CodePayloadDetached      = "payload_detached"
	CodeHeaderCritical       = "header_critical"
	CodeHeaderUnknown        = "header_unknown"
	CodeHeaderMissing        = "header_missing"
	CodeHeaderInvalid        = "header_invalid"
	CodeAlgorithmUnsupported = "algorithm_unsupported"
	CodeClaimUnknown         = "claim_unknown"
	CodeClaimMissing         = "claim_missing"
	CodeClaimInvalid         = "claim_invalid"
	CodeTypeUnexpected       = "type_unexpected"
	CodeSubjectUnexpected    = "subject_unexpected"
	CodeIssuerUntrusted      = "issuer_untrusted"
	CodeDelegationWindow     = "delegation_window"
	CodeDelegationType       = "delegation_type"
	CodeKeyUnknown           = "key_unknown"
	CodeSignatureInvalid     = "signature_invalid"
	CodeAudienceOther        = "audience_other"
	CodeIssuedInFuture       = "issued_in_future"
	CodeNotYetValid          = "not_yet_valid"
	CodeExpired              = "expired"
	CodeSchemaMismatch       = "schema_mismatch"
	CodeKindUnknown          = "kind_unknown"
	CodePayloadsDiffer       = "payloads_differ"
	CodeSignersEqual         = "signers_equal"
	CodeSignerUnexpected     = "signer_unexpected"
	CodeBundleSurplus        = "bundle_surplus"
	CodeReferenceMissing     = "reference_missing"
	CodeAuditChanged         = "audit_changed"
	CodeAuditGap             = "audit_gap"
	CodeAuditTruncated       = "audit_truncated"
)

// Error is a refusal. About says to people what was refused; Cause is a refusal
// behind this one, if there is one.
type Error struct {
	Code  string
	About string
	Cause error
}

func (e *Error) Error() string {
	s := e.Code
	if e.About != "" {
		s += ": " + e.About
	}
	if e.Cause != nil {
		s += " (" + e.Cause.Error() + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

func refuse(code, about string) *Error { return &Error{Code: code, About: about} }

// decode reads CBOR for this document: "Where the steps say decode …".
func decode(b []byte, limits cbor.Limits) (cbor.Value, error) {
	if len(b) > limits.MaxBytes {
		return nil, refuse(CodeTooLarge, "")
	}
	v, err := cbor.Decode(b, limits)
	if err != nil {
		return nil, &Error{Code: CodeCBORRefused, Cause: err}
	}
	return v, nil
}

// Code is the code of a refusal, or "" if err is none.
func Code(err error) string {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
