// Package vectors finds and reads the test vectors of the specification, which
// spec/vectors/README.md describes. Only tests import it.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"catalyst.internal/interop/cbor"
)

// Dir is the folder spec/vectors. The environment variable CATALYST_SPEC names
// another folder spec; without it, it is looked for beside the folder interop,
// starting from the folder of the package that is tested.
func Dir(t testing.TB) string {
	t.Helper()
	if spec := os.Getenv("CATALYST_SPEC"); spec != "" {
		return filepath.Join(spec, "vectors")
	}
	for _, spec := range []string{"../../../spec", "../../../../spec"} {
		dir := filepath.Join(spec, "vectors")
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	t.Fatal("no spec/vectors; set CATALYST_SPEC to the folder spec")
	return ""
}

// Load reads a file of vectors, for example "cbor/good.json", into v.
func Load(t testing.TB, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Dir(t), filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a member that no test looks at would be a gap
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// File is a file of vectors.
type File[Case any] struct {
	About   string `json:"about"`
	Vectors []Case `json:"vectors"`
}

// Cases reads the cases of a file of vectors, and says how many there are.
func Cases[Case any](t testing.TB, file string) []Case {
	t.Helper()
	var f File[Case]
	Load(t, file, &f)
	if len(f.Vectors) == 0 {
		t.Fatalf("%s: no vectors", file)
	}
	t.Logf("%s: %d vectors", file, len(f.Vectors))
	return f.Vectors
}

// Hex is bytes, in hexadecimal in JSON.
type Hex []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (h *Hex) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*h, err = hex.DecodeString(s)
	return err
}

// Value is a value of CBOR in the notation of the vectors.
type Value struct{ cbor.Value }

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	switch b[0] {
	case 'n':
		v.Value = cbor.Null{}
		return nil
	case 't', 'f':
		v.Value = cbor.Bool(b[0] == 't')
		return nil
	case '"':
		var s string
		err := json.Unmarshal(b, &s)
		v.Value = cbor.Text(s)
		return err
	case '[':
		var list []Value
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		array := make(cbor.Array, len(list))
		for i, x := range list {
			array[i] = x.Value
		}
		v.Value = array
		return nil
	case '{':
		return v.object(b)
	}
	var n int64
	err := json.Unmarshal(b, &n)
	v.Value = cbor.Int(n)
	return err
}

func (v *Value) object(b []byte) error {
	var o struct {
		Bytes *Hex        `json:"bytes"`
		Map   *[][2]Value `json:"map"`
		Tag   *int        `json:"tag"`
		Value *Value      `json:"value"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	switch {
	case o.Bytes != nil:
		v.Value = cbor.Bytes(*o.Bytes)
	case o.Map != nil:
		m := make(cbor.Map, len(*o.Map))
		for i, e := range *o.Map {
			m[i] = cbor.Entry{Key: e[0].Value, Value: e[1].Value}
		}
		v.Value = m
	case o.Tag != nil:
		if *o.Tag != cbor.TagCOSESign1 {
			return fmt.Errorf("tag %d", *o.Tag)
		}
		v.Value = cbor.Tagged{Content: cbor.Null{}} // JSON's null leaves Value nil
		if o.Value != nil {
			v.Value = cbor.Tagged{Content: o.Value.Value}
		}
	default:
		return errors.New("neither bytes, map nor tag")
	}
	return nil
}
