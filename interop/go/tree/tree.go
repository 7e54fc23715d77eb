// Package tree is the hash tree of an object, spec/wire.md §3, and the proofs of
// its ranges, §4.
package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Codes of refusals.
const (
	CodeLeafSize  = "tree_leaf_size"
	CodeSize      = "tree_size"
	CodeMismatch  = "tree_mismatch"
	CodeRange     = "tree_range"
	CodeTruncated = "tree_truncated"
	CodeTrailing  = "tree_trailing"
)

// Error is a refusal. Node is where it was met, if it was at a node.
type Error struct {
	Code string
	Node *Node
}

func (e *Error) Error() string {
	switch {
	case e.Node == nil:
		return e.Code
	case e.Node.Leaves == 1:
		return fmt.Sprintf("%s at leaf %d", e.Code, e.Node.First)
	}
	return fmt.Sprintf("%s at the parent of the leaves %d to %d", e.Code, e.Node.First, e.Node.First+e.Node.Leaves-1)
}

// Digest is the SHA-256 of a node or of a root.
type Digest = [sha256.Size]byte

// MaxSize is the size of the largest object.
const MaxSize = 1<<53 - 1

// Prefixes of what is hashed.
const (
	prefixLeaf   = 0
	prefixParent = 1
	prefixRoot   = 2
)

// Leaf is the digest of a leaf.
func Leaf(b []byte) Digest {
	inner := sha256.Sum256(b)
	return sha256.Sum256(append([]byte{prefixLeaf}, inner[:]...))
}

// Parent is the digest of a node with two children.
func Parent(left, right Digest) Digest {
	b := append([]byte{prefixParent}, left[:]...)
	return sha256.Sum256(append(b, right[:]...))
}

// Root is the digest in an object's CID.
func Root(size uint64, leafSize uint32, top Digest) Digest {
	b := binary.BigEndian.AppendUint64([]byte{prefixRoot}, size)
	b = binary.BigEndian.AppendUint32(b, leafSize)
	return sha256.Sum256(append(b, top[:]...))
}

// Node is a part of a tree: Leaves leaves from the leaf First on.
type Node struct{ First, Leaves uint64 }

// children are the two nodes below a node over more than one leaf.
func (n Node) children() (left, right Node) {
	l := uint64(1) << (bits.Len64(n.Leaves-1) - 1) // the largest power of two below
	return Node{n.First, l}, Node{n.First + l, n.Leaves - l}
}

// Position is the place of the node's digest in an outboard, §3.3, counted in
// digests.
func (n Node) Position() uint64 {
	return 2*n.First - uint64(bits.OnesCount64(n.First)) + 2*n.Leaves - 2
}

// Shape is what the size of an object and that of its leaves say of its tree.
type Shape struct {
	Size     uint64
	LeafSize uint32
}

// Check refuses a size above the largest, and a leaf size that is none.
func (s Shape) Check() error {
	if s.Size > MaxSize {
		return &Error{Code: CodeSize}
	}
	switch s.LeafSize {
	case 16 << 10, 64 << 10, 256 << 10:
		return nil
	}
	return &Error{Code: CodeLeafSize}
}

// Top is the topmost node.
func (s Shape) Top() Node {
	leaf := uint64(s.LeafSize)
	return Node{0, max(1, (s.Size+leaf-1)/leaf)}
}

// Bytes are the bytes of the object that are below a node: from start up to and
// without end.
func (s Shape) Bytes(n Node) (start, end uint64) {
	leaf := uint64(s.LeafSize)
	return n.First * leaf, min(s.Size, (n.First+n.Leaves)*leaf)
}

// Open checks a claim about an object, §3.4: that the object with a root has a
// size, and a topmost node with the digest top.
func Open(root Digest, shape Shape, top []byte) error {
	if err := shape.Check(); err != nil {
		return err
	}
	if len(top) != sha256.Size || Root(shape.Size, shape.LeafSize, Digest(top)) != root {
		return &Error{Code: CodeMismatch}
	}
	if shape.Size == 0 && Digest(top) != Leaf(nil) {
		return &Error{Code: CodeMismatch}
	}
	return nil
}

// Builder makes the tree of an object in one pass. It is an [io.Writer] for the
// object's bytes.
type Builder struct {
	leafSize uint32
	leaf     []byte // the leaf that is not complete, or is but may be the last
	size     uint64
	leaves   uint64
	stack    []Digest // nodes without a parent yet
	emit     func(Digest)
}

// NewBuilder starts a tree. If emit is not nil, it is called with the digest of
// each node in the order of an outboard, §3.3.
func NewBuilder(leafSize uint32, emit func(Digest)) (*Builder, error) {
	if err := (Shape{0, leafSize}).Check(); err != nil {
		return nil, err
	}
	if emit == nil {
		emit = func(Digest) {}
	}
	return &Builder{leafSize: leafSize, emit: emit}, nil
}

// Write adds bytes to the object.
func (t *Builder) Write(b []byte) (int, error) {
	written := len(b)
	if uint64(written) > MaxSize-t.size {
		return 0, &Error{Code: CodeSize}
	}
	t.size += uint64(written)
	for len(b) > 0 {
		if len(t.leaf) == int(t.leafSize) {
			t.endLeaf()
		}
		n := min(len(b), int(t.leafSize)-len(t.leaf))
		t.leaf = append(t.leaf, b[:n]...)
		b = b[n:]
	}
	return written, nil
}

func (t *Builder) push(d Digest) {
	t.emit(d)
	t.stack = append(t.stack, d)
}

func (t *Builder) endLeaf() {
	t.push(Leaf(t.leaf))
	t.leaf = t.leaf[:0]
	t.leaves++
	for k := t.leaves; k%2 == 0; k /= 2 {
		t.join()
	}
}

// join replaces the last two nodes by their parent.
func (t *Builder) join() {
	n := len(t.stack)
	parent := Parent(t.stack[n-2], t.stack[n-1])
	t.stack = t.stack[:n-2]
	t.push(parent)
}

// Finish ends the object. The builder is of no use after it.
func (t *Builder) Finish() (shape Shape, top, root Digest) {
	if len(t.leaf) > 0 || t.size == 0 {
		t.endLeaf()
	}
	for len(t.stack) > 1 {
		t.join()
	}
	return Shape{t.size, t.leafSize}, t.stack[0], Root(t.size, t.leafSize, t.stack[0])
}
