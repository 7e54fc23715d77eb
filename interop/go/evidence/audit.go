package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"catalyst.internal/interop/cbor"
)

// Head is the number and digest of a log's last entry, spec/evidence.md §7.1.
// The zero value is the head of an empty log.
type Head struct {
	Seq    int64
	Digest [sha256.Size]byte
}

func (h Head) String() string { return fmt.Sprintf("%d:%x", h.Seq, h.Digest) }

// MarshalText implements [encoding.TextMarshaler].
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// ParseHead reads the text of a head. Only the text that [Head.String] writes is
// accepted.
func ParseHead(text string) (Head, error) {
	var h Head
	errHead := refuse(CodeSchemaMismatch, "not a head: "+strconv.Quote(text))
	number, digest, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 0 || seq > cbor.MaxInt || len(digest) != 2*len(h.Digest) {
		return Head{}, errHead
	}
	if _, err := hex.Decode(h.Digest[:], []byte(digest)); err != nil {
		return Head{}, errHead
	}
	h.Seq = seq
	if h.String() != text {
		return Head{}, errHead
	}
	return h, nil
}

var (
	entryLimits = cbor.Limits{MaxBytes: 8192, MaxDepth: 4, MaxItems: 64}

	digestRule = byteString(sha256.Size, sha256.Size)

	// entryContents are what an entry holds one of.
	entryContents = []string{"delegation", "receipt", "action", "recovery"}

	entryRule = object(
		required("seq", positive),
		required("at", unsigned),
		required("previous", digestRule),
		optional("delegation", envelopeBytes),
		optional("receipt", envelopeBytes),
		optional("action", object(
			required("actor", text(512)),
			required("action", text(128)),
			required("target", text(512)),
			required("outcome", oneOf("done", "denied", "failed")),
			optional("reason", text(512)),
			optional("decision", blockCID),
		)),
		optional("recovery", object(
			required("file", text(255)),
			required("bytes", positive),
			required("digest", digestRule),
		)),
	)
)

// readEntry decodes an entry and checks its form.
func readEntry(b []byte) (cbor.Map, error) {
	v, err := decode(b, entryLimits)
	if err != nil {
		return nil, err
	}
	if !entryRule(v) {
		return nil, refuse(CodeSchemaMismatch, "entry")
	}
	m := v.(cbor.Map)
	contents := 0
	for _, content := range entryContents {
		if has(m, content) {
			contents++
		}
	}
	if contents != 1 {
		return nil, refuse(CodeSchemaMismatch, "entry")
	}
	return m, nil
}

// Log verifies the entries of a log one after the other, §7.3. Make one with
// [NewLog], call Add for each entry, and End after the last one.
type Log struct {
	head  Head
	known []Head
	err   error // the first refusal, after which nothing counts
}

// NewLog begins with an empty log, of which heads are known.
func NewLog(known ...Head) *Log {
	l := &Log{known: known}
	l.err = l.checkKnown()
	return l
}

// Head is the head after the entries so far.
func (l *Log) Head() Head { return l.head }

func (l *Log) checkKnown() error {
	for _, k := range l.known {
		if k.Seq == l.head.Seq && k.Digest != l.head.Digest {
			return refuse(CodeAuditChanged, "a known head differs: "+k.String())
		}
	}
	return nil
}

// Add verifies the next entry, and returns its members.
func (l *Log) Add(b []byte) (cbor.Map, error) {
	if l.err != nil {
		return nil, l.err
	}
	var entry cbor.Map
	entry, l.err = l.add(b)
	return entry, l.err
}

func (l *Log) add(b []byte) (cbor.Map, error) {
	next := l.head.Seq + 1
	entry, err := readEntry(b)
	switch {
	case err != nil:
		return nil, &Error{CodeAuditChanged, fmt.Sprintf("entry %d", next), err}
	case intOf(entry, "seq") != next:
		return nil, refuse(CodeAuditGap, fmt.Sprintf("entry %d has the number %d", next, intOf(entry, "seq")))
	case [sha256.Size]byte(bytesOf(entry, "previous")) != l.head.Digest:
		return nil, refuse(CodeAuditChanged, fmt.Sprintf("the entry before %d", next))
	}
	l.head = Head{next, sha256.Sum256(b)}
	return entry, l.checkKnown()
}

// End says that no entry follows.
func (l *Log) End() (Head, error) {
	if l.err != nil {
		return Head{}, l.err
	}
	for _, k := range l.known {
		if k.Seq > l.head.Seq {
			return Head{}, refuse(CodeAuditTruncated, "known is "+k.String())
		}
	}
	return l.head, nil
}

// TypeAuditHead is the type of a statement that keeps a head elsewhere, §7.2.
const TypeAuditHead = "application/vnd.catalyst.audit-head+cbor"

var headRule = object(required("seq", unsigned), required("digest", digestRule))

// AuditHead verifies a statement that says the head of a log.
func (v *Verifier) AuditHead(b []byte) (Head, *Statement, error) {
	s, err := v.Statement(b, TypeAuditHead)
	if err != nil {
		return Head{}, nil, err
	}
	if !headRule(s.Content) {
		return Head{}, nil, refuse(CodeSchemaMismatch, "head")
	}
	if s.Subject != "audit" {
		return Head{}, nil, refuse(CodeSubjectUnexpected, s.Subject)
	}
	m := s.Content.(cbor.Map)
	return Head{intOf(m, "seq"), [sha256.Size]byte(bytesOf(m, "digest"))}, s, nil
}
