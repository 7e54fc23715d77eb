package tree

import (
	"encoding/binary"
	"errors"
	"io"
	"sort"
)

// Range is a range of bytes, from Start up to and without End.
type Range struct{ Start, End int64 }

// Whole is the range that stands for any object as a whole.
var Whole = Range{0, MaxSize}

// CheckRanges refuses a list of ranges that is not as §4.1 says.
func CheckRanges(ranges []Range) error {
	before := int64(0)
	for _, r := range ranges {
		if r.Start < before || r.Start >= r.End || r.End > MaxSize {
			return &Error{Code: CodeRange}
		}
		before = r.End
	}
	return nil
}

// wanted says whether a range touches a leaf below a node. An empty object has
// no byte that a range could touch.
func (s Shape) wanted(n Node, ranges []Range) bool {
	start, end := s.Bytes(n)
	i := sort.Search(len(ranges), func(i int) bool { return uint64(ranges[i].End) > start })
	return i < len(ranges) && uint64(ranges[i].Start) < end
}

// headSize is that of a slice's beginning: the size, and the topmost digest.
const headSize = 8 + 32

// VerifiedLeaf is a leaf of an object whose bytes are proved.
type VerifiedLeaf struct {
	Number uint64
	Start  uint64 // the place of its first byte in the object
	Bytes  []byte // good until the next leaf is read
}

// VerifySlice reads a slice of the object with a root and a size of leaves, and
// checks it against the ranges that were asked for, §4.3. It calls use with each
// leaf as soon as it is verified; such a leaf stays verified if the slice is
// refused later. It returns the shape of the object, which is proved unless it
// is zero. An error of in or of use ends it as well, and is returned as it is.
func VerifySlice(in io.Reader, root Digest, leafSize uint32, ranges []Range, use func(VerifiedLeaf) error) (Shape, error) {
	if err := CheckRanges(ranges); err != nil {
		return Shape{}, err
	}
	var head [headSize]byte
	if err := take(in, head[:], nil); err != nil {
		return Shape{}, err
	}
	shape := Shape{binary.BigEndian.Uint64(head[:8]), leafSize}
	if err := Open(root, shape, head[8:]); err != nil {
		return Shape{}, err
	}

	type known struct {
		node   Node
		digest Digest
	}
	var stack []known
	push := func(n Node, d []byte) {
		if shape.wanted(n, ranges) {
			stack = append(stack, known{n, Digest(d)})
		}
	}
	push(shape.Top(), head[8:])

	var leaf []byte
	for len(stack) > 0 {
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		node := next.node

		if node.Leaves > 1 {
			var pair [64]byte
			if err := take(in, pair[:], &node); err != nil {
				return shape, err
			}
			if Parent(Digest(pair[:32]), Digest(pair[32:])) != next.digest {
				return shape, &Error{CodeMismatch, &node}
			}
			left, right := node.children()
			push(right, pair[32:])
			push(left, pair[:32])
			continue
		}

		start, end := shape.Bytes(node)
		if leaf == nil {
			leaf = make([]byte, min(uint64(leafSize), shape.Size))
		}
		leaf = leaf[:end-start]
		if err := take(in, leaf, &node); err != nil {
			return shape, err
		}
		if Leaf(leaf) != next.digest {
			return shape, &Error{CodeMismatch, &node}
		}
		if err := use(VerifiedLeaf{node.First, start, leaf}); err != nil {
			return shape, err
		}
	}

	switch _, err := io.ReadFull(in, head[:1]); {
	case err == nil:
		return shape, &Error{Code: CodeTrailing}
	case !errors.Is(err, io.EOF):
		return shape, err
	}
	return shape, nil
}

// take fills b. The end of the stream is a refusal, at a node if there is one.
func take(in io.Reader, b []byte, node *Node) error {
	_, err := io.ReadFull(in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{CodeTruncated, node}
	}
	return err
}
