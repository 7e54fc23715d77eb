// Package frame reads the frames of a stream, spec/wire.md §5.
package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Codes of refusals.
const (
	CodeEmpty     = "frame_empty"
	CodeTooLarge  = "frame_too_large"
	CodeTruncated = "frame_truncated"
)

// Error is a refusal. Nothing on the stream counts after it.
type Error struct{ Code string }

func (e *Error) Error() string { return e.Code }

// DefaultMaxBytes is the largest payload unless a protocol says otherwise.
const DefaultMaxBytes = 1 << 20

const headSize = 4

// Reader reads frames from a stream.
type Reader struct {
	in       io.Reader
	maxBytes uint32
	err      error // the fault, after which nothing is read
}

// NewReader reads frames of up to maxBytes from a stream.
func NewReader(in io.Reader, maxBytes uint32) *Reader {
	return &Reader{in: in, maxBytes: maxBytes}
}

// Next returns the payload of the next frame, and [io.EOF] where the stream
// ends between frames.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	payload, err := r.next()
	r.err = err
	return payload, err
}

func (r *Reader) next() ([]byte, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return nil, truncated(err)
	}
	length := binary.BigEndian.Uint32(head[:])
	switch {
	case length == 0:
		return nil, &Error{CodeEmpty}
	case length > r.maxBytes:
		return nil, &Error{CodeTooLarge}
	}
	// The buffer grows with what arrives, not with what was announced.
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, r.in, int64(length)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, truncated(err)
	}
	return payload.Bytes(), nil
}

// truncated makes the end of a stream inside a frame a refusal. Other errors of
// the stream are its own.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{CodeTruncated}
	}
	return err
}

// Append adds a frame with a payload to b. The payload must not be empty.
func Append(b, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}
