package main

import (
	"encoding/hex"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/evidence"
)

// showValue makes JSON of a value of CBOR in the notation of the vectors:
// {"bytes": hex}, {"map": [[key, value], …]} and {"tag": 18, "value": …}.
func showValue(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Bytes:
		return object{"bytes": hex.EncodeToString(v)}
	case cbor.Array:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = showValue(x)
		}
		return list
	case cbor.Map:
		entries := make([][2]any, len(v))
		for i, e := range v {
			entries[i] = [2]any{showValue(e.Key), showValue(e.Value)}
		}
		return object{"map": entries}
	case cbor.Tagged:
		return object{"tag": cbor.TagCOSESign1, "value": showValue(v.Content)}
	case cbor.Null:
		return nil
	}
	return v // integers, text and booleans are themselves
}

func showEnvelope(e *evidence.Envelope) object {
	out := object{
		"cid":      e.CID(),
		"type":     e.Type,
		"kid":      e.KID,
		"issuer":   e.Issuer,
		"subject":  e.Subject,
		"issuedAt": e.IssuedAt,
	}
	if e.Audience != "" {
		out["audience"] = e.Audience
	}
	if e.NotBefore != nil {
		out["notBefore"] = *e.NotBefore
	}
	if e.Expiry != nil {
		out["expiry"] = *e.Expiry
	}
	return out
}

func showReceipt(r *evidence.Receipt) object {
	var signers []object
	for _, e := range r.Signers {
		signers = append(signers, showEnvelope(e))
	}
	return object{"kind": r.Kind, "scope": r.Scope, "receipt": showValue(r.Members), "signers": signers}
}

func showDelegation(d *evidence.Delegation) object {
	out := showEnvelope(d.Envelope)
	out["lent"] = d.Lent.KID()
	out["types"] = d.Types
	out["begin"], out["end"] = d.Begin, d.End
	return out
}
