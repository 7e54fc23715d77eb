package tree_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand"
	"slices"
	"testing"

	"catalyst.internal/interop/cid"
	"catalyst.internal/interop/internal/vectors"
	"catalyst.internal/interop/tree"
)

// pattern is the bytes of the vectors' objects from start on.
func pattern(start, length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte((start + i) % 251)
	}
	return b
}

func codeOf(err error) string {
	if refusal := (*tree.Error)(nil); errors.As(err, &refusal) {
		return refusal.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestGood(t *testing.T) {
	type goodCase struct {
		Name     string      `json:"name"`
		Size     int         `json:"size"`
		LeafSize uint32      `json:"leafSize"`
		SHA256   vectors.Hex `json:"sha256"`
		Top      vectors.Hex `json:"top"`
		Root     vectors.Hex `json:"root"`
		CID      string      `json:"cid"`
		Outboard vectors.Hex `json:"outboard"`
	}
	for _, c := range vectors.Cases[goodCase](t, "tree/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			object := pattern(0, c.Size)
			if sum := sha256.Sum256(object); !bytes.Equal(sum[:], c.SHA256) {
				t.Fatalf("the object is another: %x", sum)
			}
			var outboard []byte
			b, err := tree.NewBuilder(c.LeafSize, func(d tree.Digest) { outboard = append(outboard, d[:]...) })
			if err != nil {
				t.Fatal(err)
			}
			// Two writes, so that a leaf is filled in parts.
			b.Write(object[:c.Size/3])
			b.Write(object[c.Size/3:])
			shape, top, root := b.Finish()
			if shape != (tree.Shape{Size: uint64(c.Size), LeafSize: c.LeafSize}) {
				t.Errorf("shape %v", shape)
			}
			if !bytes.Equal(top[:], c.Top) || !bytes.Equal(root[:], c.Root) {
				t.Errorf("top %x, root %x", top, root)
			}
			if c.Outboard != nil && !bytes.Equal(outboard, c.Outboard) {
				t.Errorf("outboard %x", outboard)
			}
			if want := 32 * (2*shape.Top().Leaves - 1); uint64(len(outboard)) != want {
				t.Errorf("outboard of %d bytes, want %d", len(outboard), want)
			}
			if at := 32 * shape.Top().Position(); !bytes.Equal(outboard[at:], top[:]) {
				t.Error("the top is not last")
			}
			if err := tree.Open(root, shape, c.Top); err != nil {
				t.Error(err)
			}
			name, err := cid.Parse(c.CID)
			if err != nil {
				t.Fatal(err)
			}
			if name.Digest != root || name.Hash.LeafSize() != c.LeafSize {
				t.Errorf("CID %+v", name)
			}
		})
	}
}

func TestBad(t *testing.T) {
	type badCase struct {
		Name     string      `json:"name"`
		Root     vectors.Hex `json:"root"`
		LeafSize uint32      `json:"leafSize"`
		Size     uint64      `json:"size"`
		Top      vectors.Hex `json:"top"`
		Code     string      `json:"code"`
	}
	for _, c := range vectors.Cases[badCase](t, "tree/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			err := tree.Open(tree.Digest(c.Root), tree.Shape{Size: c.Size, LeafSize: c.LeafSize}, c.Top)
			if got := codeOf(err); got != c.Code {
				t.Errorf("got %q, want %q", got, c.Code)
			}
		})
	}
}

// TestPosition checks the formula of §3.3 with the table of §3.5.
func TestPosition(t *testing.T) {
	for n, want := range map[tree.Node]uint64{
		{First: 0, Leaves: 1}: 0,
		{First: 1, Leaves: 1}: 1,
		{First: 0, Leaves: 2}: 2,
		{First: 2, Leaves: 1}: 3,
		{First: 0, Leaves: 3}: 4,
	} {
		if got := n.Position(); got != want {
			t.Errorf("%v has the position %d, want %d", n, got, want)
		}
	}
}

// TestOutboard finds each node of trees of up to 70 leaves at its position.
func TestOutboard(t *testing.T) {
	const leafSize = 16 << 10
	for n := 1; n <= 70; n += 3 {
		var outboard []tree.Digest
		b, err := tree.NewBuilder(leafSize, func(d tree.Digest) { outboard = append(outboard, d) })
		if err != nil {
			t.Fatal(err)
		}
		b.Write(pattern(0, leafSize*n-1))
		shape, _, _ := b.Finish()
		var visit func(first, leaves uint64) tree.Digest
		visit = func(first, leaves uint64) tree.Digest {
			var want tree.Digest
			if leaves == 1 {
				start, end := shape.Bytes(tree.Node{First: first, Leaves: 1})
				want = tree.Leaf(pattern(int(start), int(end-start)))
			} else {
				left := uint64(1)
				for 2*left < leaves {
					left *= 2
				}
				want = tree.Parent(visit(first, left), visit(first+left, leaves-left))
			}
			if at := (tree.Node{First: first, Leaves: leaves}).Position(); outboard[at] != want {
				t.Fatalf("%d leaves: the node over %d from %d on is not at %d", n, leaves, first, at)
			}
			return want
		}
		visit(0, shape.Top().Leaves)
	}
}

// TestExample holds the numbers in the text of §3.5.
func TestExample(t *testing.T) {
	b, err := tree.NewBuilder(16<<10, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(pattern(0, 40_000))
	_, top, root := b.Finish()
	if got := hex.EncodeToString(top[:]); got != "c058e179f1df50cc4a0d7c97652a3c958a8e639b12e1bf35292ae08b7ac77f51" {
		t.Error(got)
	}
	if got := hex.EncodeToString(root[:]); got != "30ad80a8abbd89a56f59795970656db1b1e1cfa359bceda4decc042db2c908e8" {
		t.Error(got)
	}
}

type sliceCase struct {
	Name     string      `json:"name"`
	Root     vectors.Hex `json:"root"`
	Size     int         `json:"size"`
	LeafSize uint32      `json:"leafSize"`
	Ranges   [][2]int64  `json:"ranges"`
	Parts    []part      `json:"parts"`
	Leaves   []uint64    `json:"leaves"`
	Code     string      `json:"code"`
}

func (c sliceCase) ranges() []tree.Range {
	var ranges []tree.Range
	for _, r := range c.Ranges {
		ranges = append(ranges, tree.Range{Start: r[0], End: r[1]})
	}
	return ranges
}

func (c sliceCase) bytes() []byte {
	var b []byte
	for _, p := range c.Parts {
		b = append(b, p.bytes...)
	}
	return b
}

// part is a part of a slice: hexadecimal, or a place in the pattern.
type part struct {
	bytes []byte
	start int // -1 for hexadecimal
}

func (p *part) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		p.start = -1
		return json.Unmarshal(b, (*vectors.Hex)(&p.bytes))
	}
	var place struct{ Start, Length int }
	if err := json.Unmarshal(b, &place); err != nil {
		return err
	}
	p.start, p.bytes = place.Start, pattern(place.Start, place.Length)
	return nil
}

// verify reads a slice, and returns the leaves that were verified.
func verify(in io.Reader, c sliceCase) (tree.Shape, []tree.VerifiedLeaf, error) {
	var leaves []tree.VerifiedLeaf
	shape, err := tree.VerifySlice(in, tree.Digest(c.Root), c.LeafSize, c.ranges(), func(l tree.VerifiedLeaf) error {
		l.Bytes = slices.Clone(l.Bytes)
		leaves = append(leaves, l)
		return nil
	})
	return shape, leaves, err
}

func TestSliceGood(t *testing.T) {
	for _, c := range vectors.Cases[sliceCase](t, "slice/good.json") {
		t.Run(c.Name, func(t *testing.T) {
			shape, leaves, err := verify(bytes.NewReader(c.bytes()), c)
			if err != nil {
				t.Fatal(err)
			}
			if shape.Size != uint64(c.Size) {
				t.Errorf("size %d", shape.Size)
			}
			for _, p := range c.Parts {
				if p.start < 0 {
					continue
				}
				if len(leaves) == 0 || leaves[0].Start != uint64(p.start) || !bytes.Equal(leaves[0].Bytes, p.bytes) {
					t.Fatalf("the leaf from %d on did not come", p.start)
				}
				leaves = leaves[1:]
			}
			if len(leaves) > 0 {
				t.Errorf("%d more leaves", len(leaves))
			}
		})
	}
}

func TestSliceBad(t *testing.T) {
	for _, c := range vectors.Cases[sliceCase](t, "slice/bad.json") {
		t.Run(c.Name, func(t *testing.T) {
			_, leaves, err := verify(bytes.NewReader(c.bytes()), c)
			if got := codeOf(err); got != c.Code {
				t.Errorf("got %q, want %q", got, c.Code)
			}
			var numbers []uint64
			for _, l := range leaves {
				numbers = append(numbers, l.Number)
			}
			if !slices.Equal(numbers, c.Leaves) {
				t.Errorf("verified %v, want %v", numbers, c.Leaves)
			}
		})
	}
}

// TestSliceMutated changes good slices at random. No change may be accepted, and
// what is verified before the refusal must be bytes of the object.
func TestSliceMutated(t *testing.T) {
	random := rand.New(rand.NewSource(4))
	cases := vectors.Cases[sliceCase](t, "slice/good.json")
	for range 3_000 {
		c := cases[random.Intn(len(cases))]
		whole := c.bytes()
		b := vectors.Mutate(random, whole)
		_, leaves, err := verify(bytes.NewReader(b), c)
		if err == nil && !bytes.Equal(b, whole) {
			t.Fatalf("%s: changed, and accepted", c.Name)
		}
		for _, l := range leaves {
			if !bytes.Equal(l.Bytes, pattern(int(l.Start), len(l.Bytes))) {
				t.Fatalf("%s: leaf %d is not the object's", c.Name, l.Number)
			}
		}
	}
}
