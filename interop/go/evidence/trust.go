package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"catalyst.internal/interop/cbor"
)

// Root is somebody who is believed without another's word, spec/evidence.md
// §2.1.
type Root struct {
	Name    string
	Subtree bool // every name within Name, and not that name alone
	KID     KID
	Key     *Key // nil where only the kid is known
}

// Covers says whether the root may speak in a name.
func (r Root) Covers(name string) bool {
	return name == r.Name || r.Subtree && within(name, r.Name)
}

// UnmarshalJSON reads a root from a configuration. It has the members name,
// covers ("name" or "subtree"), kid, and perhaps key.
func (r *Root) UnmarshalJSON(b []byte) error {
	var in struct{ Name, Covers, KID, Key string }
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if !isName(in.Name) {
		return fmt.Errorf("root %q: not a name", in.Name)
	}
	if in.Covers != "name" && in.Covers != "subtree" {
		return fmt.Errorf("root %q: covers %q", in.Name, in.Covers)
	}
	kid, err := ParseKID(in.KID)
	if err != nil {
		return fmt.Errorf("root %q: kid: %w", in.Name, err)
	}
	*r = Root{Name: in.Name, Subtree: in.Covers == "subtree", KID: kid}
	if in.Key == "" {
		return nil
	}
	key, err := ParseKey(in.Key)
	if err != nil {
		return fmt.Errorf("root %q: key: %w", in.Name, err)
	}
	if key.KID() != kid {
		return fmt.Errorf("root %q: %w", in.Name, errors.New("the kid is not that of the key"))
	}
	r.Key = &key
	return nil
}

// TypeDelegation is the type of a delegation.
const TypeDelegation = "application/vnd.catalyst.delegation+cbor"

// maxDelegation is the longest time for which a key is lent, in seconds.
const maxDelegation = 86_400

// Delegation lets a key sign in the name of the envelope's subject, §2.3. Its
// signature is not checked when it is read, but when it is relied on.
type Delegation struct {
	*Envelope
	Lent       Key
	Types      []string
	Begin, End int64 // both included
}

// keyRule is the COSE_Key of §2.2, and a key that is not refused.
func keyRule(v cbor.Value) bool {
	_, err := readCOSEKey(v)
	return err == nil
}

func readCOSEKey(v cbor.Value) (Key, error) {
	m, ok := v.(cbor.Map)
	if !ok || len(m) != 3 || m.Get(cbor.Int(1)) != cbor.Int(1) || m.Get(cbor.Int(-1)) != cbor.Int(6) {
		return Key{}, ErrKey
	}
	b, _ := m.Get(cbor.Int(-2)).(cbor.Bytes)
	return ReadKey(b)
}

var delegationRule = object(
	required("key", keyRule),
	required("types", list(1, 16, text(128))),
)

// ReadDelegation reads a delegation.
func ReadDelegation(b []byte) (*Delegation, error) {
	e, err := ReadEnvelope(b)
	if err != nil {
		return nil, err
	}
	if e.Type != TypeDelegation {
		return nil, refuse(CodeTypeUnexpected, e.Type)
	}
	v, err := decode(e.Payload, envelopeLimits)
	if err != nil {
		return nil, err
	}
	if !delegationRule(v) {
		return nil, refuse(CodeSchemaMismatch, "delegation")
	}
	m := v.(cbor.Map)
	d := &Delegation{Envelope: e, Begin: e.IssuedAt}
	if d.Lent, err = readCOSEKey(m.Get(cbor.Text("key"))); err != nil {
		return nil, err // cannot be: the rule has read it
	}
	for _, t := range arrayOf(m, "types") {
		d.Types = append(d.Types, string(t.(cbor.Text)))
	}
	if e.Audience != "" {
		return nil, refuse(CodeSchemaMismatch, "a delegation for an audience")
	}
	if e.NotBefore != nil {
		d.Begin = *e.NotBefore
	}
	if e.Expiry == nil {
		return nil, refuse(CodeSchemaMismatch, "a delegation without expiry")
	}
	d.End = *e.Expiry
	if d.End-d.Begin > maxDelegation {
		return nil, refuse(CodeSchemaMismatch, "a delegation for more than a day")
	}
	if !isName(e.Subject) || !within(e.Subject, e.Issuer) {
		return nil, refuse(CodeSchemaMismatch, "a delegation to a name that is not within the issuer's")
	}
	return d, nil
}

// maxDepth is how many delegations may stand between a statement and a root.
const maxDepth = 3

// authority finds the keys of statements, §2.4.
type authority struct {
	roots       []Root
	delegations []*Delegation
	keys        map[KID]Key
	found       map[atDepth]outcome
}

// atDepth is a delegation, by its place, that is relied on at a depth.
type atDepth struct{ delegation, depth int }

func newAuthority(roots []Root, delegations []*Delegation, keys []Key) *authority {
	a := &authority{roots, delegations, map[KID]Key{}, map[atDepth]outcome{}}
	for _, k := range keys {
		a.keys[k.KID()] = k
	}
	return a
}

// outcome keeps the refusal of a delegation's own envelope; nil is a good one.
type outcome struct{ err error }

// find finds the key of an envelope.
func (a *authority) find(e *Envelope, depth int) (Key, error) {
	for _, r := range a.roots {
		if r.KID != e.KID || !r.Covers(e.Issuer) {
			continue
		}
		if r.Key != nil {
			return *r.Key, nil
		}
		if key, ok := a.keys[r.KID]; ok {
			return key, nil
		}
		return Key{}, refuse(CodeKeyUnknown, e.KID.String())
	}

	var first error
	for i, d := range a.delegations {
		if d.Lent.KID() != e.KID || d.Subject != e.Issuer {
			continue
		}
		err := a.lends(i, e, depth)
		if err == nil {
			return d.Lent, nil
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return Key{}, first
	}
	return Key{}, refuse(CodeIssuerUntrusted, e.Issuer)
}

// lends says whether a delegation lends its key for an envelope at a depth.
func (a *authority) lends(i int, e *Envelope, depth int) error {
	d := a.delegations[i]
	switch {
	case depth == maxDepth:
		return refuse(CodeIssuerUntrusted, "too many delegations")
	case e.IssuedAt < d.Begin || e.IssuedAt > d.End:
		return refuse(CodeDelegationWindow, "")
	case !slices.Contains(d.Types, e.Type):
		return refuse(CodeDelegationType, e.Type)
	}
	at := atDepth{i, depth + 1}
	known, ok := a.found[at]
	if !ok {
		known.err = a.check(d.Envelope, depth+1)
		a.found[at] = known
	}
	return known.err
}

// check finds the key of an envelope, and checks its signature with it.
func (a *authority) check(e *Envelope, depth int) error {
	key, err := a.find(e, depth)
	if err != nil {
		return err
	}
	if !e.signedBy(key) {
		return refuse(CodeSignatureInvalid, e.Issuer)
	}
	return nil
}
