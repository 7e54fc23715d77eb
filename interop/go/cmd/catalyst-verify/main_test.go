package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"catalyst.internal/interop/internal/vectors"
)

// evidenceCase is a case of any file evidence-*.
type evidenceCase struct {
	Name        string          `json:"name"`
	Roots       json.RawMessage `json:"roots"`
	AsOf        int64           `json:"asOf"`
	Audience    string          `json:"audience"`
	Hex         vectors.Hex     `json:"hex"`
	Delegations []vectors.Hex   `json:"delegations"`
	Envelopes   []vectors.Hex   `json:"envelopes"`
	Entries     []vectors.Hex   `json:"entries"`
	Known       []string        `json:"known"`
	Head        string          `json:"head"`
	Code        string          `json:"code"`
	Cause       string          `json:"cause"`
	Value       json.RawMessage `json:"value"`
	Payload     string          `json:"payload"`
}

// arguments writes the files of a case, and returns the command's arguments.
func (c evidenceCase) arguments(t *testing.T, command string) []string {
	dir := t.TempDir()
	n := 0
	file := func(b []byte) string {
		n++
		name := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	args := []string{command}
	if command != "audit" {
		args = append(args, "-roots", file(c.Roots), "-as-of", fmt.Sprint(c.AsOf), "-audience", c.Audience)
	}
	if command == "envelope" {
		args = append(args, "-type", "application/vnd.catalyst.test+cbor")
	}
	for _, d := range c.Delegations {
		args = append(args, "-delegation", file(d))
	}
	for _, h := range c.Known {
		args = append(args, "-known", h)
	}
	switch command {
	case "receipt":
		for _, e := range c.Envelopes {
			args = append(args, file(e))
		}
	case "audit":
		for _, e := range c.Entries {
			args = append(args, file(e))
		}
	default:
		args = append(args, file(c.Hex))
	}
	return args
}

func TestVectors(t *testing.T) {
	for _, command := range []string{"envelope", "receipt", "bundle", "audit"} {
		for _, quality := range []string{"good", "bad"} {
			for _, c := range vectors.Cases[evidenceCase](t, "evidence-"+command+"/"+quality+".json") {
				t.Run(command+"/"+c.Name, func(t *testing.T) {
					var out, stderr bytes.Buffer
					exit := run(c.arguments(t, command), &out, &stderr)
					want := exitVerified
					if c.Code != "" {
						want = exitRefused
					}
					if exit != want {
						t.Fatalf("exit %d: %s%s", exit, &out, &stderr)
					}
					var report struct{ Code, Head string }
					if err := json.Unmarshal(out.Bytes(), &report); err != nil {
						t.Fatal(err)
					}
					if report.Code != c.Code || report.Head != c.Head {
						t.Errorf("wrote %s", &out)
					}
				})
			}
		}
	}
}

// TestSlice verifies the slice of no leaf of an empty object, and refuses it
// under another name.
func TestSlice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slice")
	const head = "\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x4e\x59\xbf\x27\x37\x2b\x13\x04\xbc\x0b\x13\x7d\x1b\xe9\xd5\x66" +
		"\xad\x58\xb1\x54\xb6\xa6\xb5\x77\x8a\xf7\xf4\x14\xb1\xd4\xb8\x4c"
	if err := os.WriteFile(file, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	const empty = "bafkzbagaaeqhywmo444ceu4t75iegbi5hmkn2cfqh7jvdtcbt4j6imzisolr5ni"
	const other = "bafkzbagaaeqi4penntimkfnffdarbbgqs6p4xsgyxbj3dpvkafbkp7wgdsxvhni"
	for _, c := range []struct {
		args []string
		exit int
	}{
		{[]string{"slice", "-cid", empty, file}, exitVerified},
		{[]string{"slice", "-cid", empty, "-range", "0-5", "-range", "7-8", file}, exitVerified},
		{[]string{"slice", "-cid", empty, "-range", "5-5", file}, exitRefused},
		{[]string{"slice", "-cid", other, file}, exitRefused},
		{[]string{"slice", "-cid", empty, "-range", "5", file}, exitUsage},
		{[]string{"slice", "-cid", empty}, exitUsage},
		{[]string{"slice", "-cid", "b", file}, exitUsage},
		{[]string{"nothing"}, exitUsage},
		{nil, exitUsage},
	} {
		var out, stderr bytes.Buffer
		if exit := run(c.args, &out, &stderr); exit != c.exit {
			t.Errorf("%v: exit %d: %s%s", c.args, exit, &out, &stderr)
		}
	}
}
