package evidence

import (
	"bytes"

	"catalyst.internal/interop/cbor"
	"catalyst.internal/interop/cid"
)

// Decision says why something is as it is, spec/evidence.md §6.
type Decision struct {
	CID      cid.CID
	Question cbor.Map
	AsOf     int64
	Policy   *cid.CID
	Inputs   []cid.CID
	Steps    []Step
	Result   cbor.Value
}

// Step is a rule that was applied.
type Step struct {
	Rule, Outcome string
	Inputs        []int // places in the decision's inputs, from 0
}

var (
	decisionLimits = cbor.Limits{MaxBytes: 262_144, MaxDepth: 12, MaxItems: 16_384}

	decisionRule = object(
		required("question", openObject(required("kind", text(128)))),
		required("asOf", unsigned),
		optional("policy", blockCID),
		required("inputs", list(0, 1024, anyCID)),
		required("steps", list(0, 1024, object(
			required("rule", text(256)),
			required("outcome", text(1024)),
			optional("inputs", list(1, 1024, between(0, 1023))),
		))),
		required("result", anything),
	)
)

// ReadDecision reads a decision.
func ReadDecision(b []byte) (*Decision, error) {
	v, err := decode(b, decisionLimits)
	if err != nil {
		return nil, err
	}
	if !decisionRule(v) {
		return nil, refuse(CodeSchemaMismatch, "decision")
	}
	m := v.(cbor.Map)
	d := &Decision{
		CID:      cid.OfBlock(cid.CBOR, b),
		Question: mapOf(m, "question"),
		AsOf:     intOf(m, "asOf"),
		Result:   m.Get(cbor.Text("result")),
	}
	if has(m, "policy") {
		policy, err := cid.Decode(bytesOf(m, "policy"))
		if err != nil {
			return nil, err // cannot be: the rule has read it
		}
		d.Policy = &policy
	}
	var before []byte
	for _, v := range arrayOf(m, "inputs") {
		b := v.(cbor.Bytes)
		if bytes.Compare(b, before) <= 0 {
			return nil, refuse(CodeSchemaMismatch, "the order of inputs")
		}
		before = b
		input, err := cid.Decode(b)
		if err != nil {
			return nil, err // cannot be: the rule has read it
		}
		d.Inputs = append(d.Inputs, input)
	}
	for _, v := range arrayOf(m, "steps") {
		s := v.(cbor.Map)
		step := Step{Rule: textOf(s, "rule"), Outcome: textOf(s, "outcome")}
		before := -1
		for _, v := range arrayOf(s, "inputs") {
			place := int(v.(cbor.Int))
			if place <= before || place >= len(d.Inputs) {
				return nil, refuse(CodeSchemaMismatch, "the inputs of a step")
			}
			before = place
			step.Inputs = append(step.Inputs, place)
		}
		d.Steps = append(d.Steps, step)
	}
	return d, nil
}
