// Command catalyst-verify verifies files of spec/wire.md and spec/evidence.md
// with the network off. It writes what it verified as JSON on the standard
// output and exits with 0, or writes the refusal and exits with 1. Bad usage
// ends it with 2.
//
//	catalyst-verify envelope -roots FILE -type TYPE [-as-of S] [-audience NAME] [-delegation FILE]... FILE
//	catalyst-verify receipt  -roots FILE [-as-of S] [-audience NAME] [-delegation FILE]... FILE...
//	catalyst-verify bundle   -roots FILE [-as-of S] [-audience NAME] FILE
//	catalyst-verify audit    [-known HEAD]... FILE...
//	catalyst-verify slice    -cid CID [-range START-END]... FILE
//
// Roots are a list in JSON, each with the members name, covers, kid and perhaps
// key, or an object with such a list under roots. A receipt is a file with one
// or two envelopes, or two files with one each. Each file of an audit log is one
// entry, in their order. Without -range the slice is one of the whole object.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"catalyst.internal/interop/cid"
	"catalyst.internal/interop/evidence"
	"catalyst.internal/interop/tree"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a mistake in how the command was called.
type usageError struct{ error }

// Exits of the command.
const (
	exitVerified = 0
	exitRefused  = 1
	exitUsage    = 2
)

func run(args []string, stdout, stderr io.Writer) int {
	report, err := verify(args, stderr)
	if err != nil {
		var usage usageError
		if errors.As(err, &usage) {
			fmt.Fprintln(stderr, "catalyst-verify:", err)
			return exitUsage
		}
		report = object{"verified": false, "code": code(err), "error": err.Error()}
	}
	out := json.NewEncoder(stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if writeErr := out.Encode(report); writeErr != nil {
		fmt.Fprintln(stderr, "catalyst-verify:", writeErr)
		return exitRefused
	}
	if err != nil {
		return exitRefused
	}
	return exitVerified
}

// code is the code of a refusal of any package.
func code(err error) string {
	var refusedTree *tree.Error
	if errors.As(err, &refusedTree) {
		return refusedTree.Code
	}
	return evidence.Code(err)
}

// object is an object of the JSON that is written.
type object map[string]any

func verify(args []string, stderr io.Writer) (object, error) {
	if len(args) == 0 {
		return nil, usageError{errors.New("envelope, receipt, bundle, audit or slice?")}
	}
	o := newOptions(args[0], stderr)
	var command func(*options) (object, error)
	switch args[0] {
	case "envelope":
		o.trust()
		o.delegations()
		o.flags.StringVar(&o.expected, "type", "", "the `type` of the statement")
		command = envelope
	case "receipt":
		o.trust()
		o.delegations()
		command = receipt
	case "bundle":
		o.trust()
		command = bundle
	case "audit":
		o.list("known", "a `head` that is known: number:digest", &o.known)
		command = audit
	case "slice":
		o.flags.StringVar(&o.cid, "cid", "", "the `CID` of the object")
		o.list("range", "a range that was asked for: `start-end`", &o.ranges)
		command = slice
	default:
		return nil, usageError{fmt.Errorf("%s: no such command", args[0])}
	}
	if err := o.flags.Parse(args[1:]); err != nil {
		return nil, usageError{err}
	}
	return command(o)
}

// options are those of a command.
type options struct {
	flags *flag.FlagSet

	roots, audience, expected, cid string
	asOf                           int64
	delegationFiles, known, ranges []string
}

func newOptions(command string, stderr io.Writer) *options {
	o := &options{flags: flag.NewFlagSet(command, flag.ContinueOnError)}
	o.flags.SetOutput(stderr)
	return o
}

func (o *options) list(name, usage string, to *[]string) {
	o.flags.Func(name, usage+"; any number of times", func(s string) error {
		*to = append(*to, s)
		return nil
	})
}

func (o *options) trust() {
	o.flags.StringVar(&o.roots, "roots", "", "a `file` with those who are believed")
	o.flags.Int64Var(&o.asOf, "as-of", time.Now().Unix(), "the moment of the check in `seconds` since 1970")
	o.flags.StringVar(&o.audience, "audience", "", "the `name` of who asks")
}

func (o *options) delegations() {
	o.list("delegation", "a `file` with a delegation", &o.delegationFiles)
}

func (o *options) check() evidence.Check {
	return evidence.Check{AsOf: o.asOf, Audience: o.audience, Skew: evidence.DefaultSkew}
}

// file reads the one file that is an argument.
func (o *options) file() ([]byte, error) {
	if o.flags.NArg() != 1 {
		return nil, usageError{errors.New("one file is needed")}
	}
	return read(o.flags.Arg(0))
}

func read(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	return b, nil
}

func (o *options) readRoots() ([]evidence.Root, error) {
	b, err := read(o.roots)
	if err != nil {
		return nil, err
	}
	var in struct{ Roots []evidence.Root }
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		err = json.Unmarshal(b, &in.Roots)
	} else {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", o.roots, err)}
	}
	return in.Roots, nil
}

func (o *options) verifier() (*evidence.Verifier, error) {
	roots, err := o.readRoots()
	if err != nil {
		return nil, err
	}
	var delegations []*evidence.Delegation
	for _, name := range o.delegationFiles {
		b, err := read(name)
		if err != nil {
			return nil, err
		}
		d, err := evidence.ReadDelegation(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		delegations = append(delegations, d)
	}
	return evidence.NewVerifier(roots, delegations, nil, o.check()), nil
}

func envelope(o *options) (object, error) {
	b, err := o.file()
	if err != nil {
		return nil, err
	}
	v, err := o.verifier()
	if err != nil {
		return nil, err
	}
	s, err := v.Statement(b, o.expected)
	if err != nil {
		return nil, err
	}
	out := showEnvelope(s.Envelope)
	out["verified"] = true
	out["payload"] = showValue(s.Content)
	return out, nil
}

func receipt(o *options) (object, error) {
	var envelopes [][]byte
	for _, name := range o.flags.Args() {
		b, err := read(name)
		if err != nil {
			return nil, err
		}
		some, err := evidence.ReadReceiptFile(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		envelopes = append(envelopes, some...)
	}
	v, err := o.verifier()
	if err != nil {
		return nil, err
	}
	r, err := v.Receipt(envelopes)
	if err != nil {
		return nil, err
	}
	out := showReceipt(r)
	out["verified"] = true
	return out, nil
}

func bundle(o *options) (object, error) {
	b, err := o.file()
	if err != nil {
		return nil, err
	}
	roots, err := o.readRoots()
	if err != nil {
		return nil, err
	}
	verified, err := evidence.VerifyBundle(b, roots, o.check(), evidence.BundleMaxBytes)
	if err != nil {
		return nil, err
	}
	receipts, delegations := []object{}, []object{}
	for _, r := range verified.Receipts {
		receipts = append(receipts, showReceipt(r))
	}
	for _, d := range verified.Delegations {
		delegations = append(delegations, showDelegation(d))
	}
	return object{
		"verified":    true,
		"receipts":    receipts,
		"delegations": delegations,
		"keys":        len(verified.Keys),
		"blocks":      len(verified.Blocks),
	}, nil
}

func audit(o *options) (object, error) {
	var known []evidence.Head
	for _, text := range o.known {
		h, err := evidence.ParseHead(text)
		if err != nil {
			return nil, usageError{err}
		}
		known = append(known, h)
	}
	log := evidence.NewLog(known...)
	for _, name := range o.flags.Args() {
		b, err := read(name)
		if err != nil {
			return nil, err
		}
		if _, err := log.Add(b); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	head, err := log.End()
	if err != nil {
		return nil, err
	}
	return object{"verified": true, "head": head}, nil
}

func slice(o *options) (object, error) {
	name, err := cid.Parse(o.cid)
	if err != nil {
		return nil, usageError{fmt.Errorf("-cid: %w", err)}
	}
	if name.IsBlock() {
		return nil, usageError{errors.New("-cid: a block, which has no slices")}
	}
	var ranges []tree.Range
	for _, text := range o.ranges {
		var r tree.Range
		if n, err := fmt.Sscanf(text+"\n", "%d-%d\n", &r.Start, &r.End); n != 2 || err != nil {
			return nil, usageError{fmt.Errorf("-range %s: not start-end", text)}
		}
		ranges = append(ranges, r)
	}
	if ranges == nil {
		ranges = []tree.Range{tree.Whole}
	}
	if o.flags.NArg() != 1 {
		return nil, usageError{errors.New("one file is needed")}
	}
	in, err := os.Open(o.flags.Arg(0))
	if err != nil {
		return nil, usageError{err}
	}
	defer in.Close()

	leaves := []object{}
	shape, err := tree.VerifySlice(in, name.Digest, name.Hash.LeafSize(), ranges, func(l tree.VerifiedLeaf) error {
		leaves = append(leaves, object{"leaf": l.Number, "start": l.Start, "length": len(l.Bytes)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return object{"verified": true, "cid": name, "size": shape.Size, "leaves": leaves}, nil
}
