package signature

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// berReader reads BER (X.690 section 8) from a stream: definite and indefinite lengths, constructed OCTET STRINGs. It holds one buffer and what
// read is told to hold. CMS has no tag above 30, so high tag numbers are refused.
type berReader struct {
	in   *bufio.Reader
	at   int64
	open []container
	buf  []byte
}

// container is an element that was entered.
type container struct {
	end   int64 // where it ends, -1 when an end-of-contents tells
	limit int64 // where the innermost definite container around ends, -1 when there is none
}

// berHead is identifier and length of one element.
type berHead struct {
	tag    cbasn1.Tag // with the constructed bit
	length int64      // -1: indefinite
}

// Content passes through one buffer of this size, whatever its own.
const buffer = 64 << 10

const (
	constructed  = 0x20
	maxDepth     = 32
	setTag       = cbasn1.SET // both have the constructed bit
	sequenceTag  = cbasn1.SEQUENCE
	octetsPieces = cbasn1.OCTET_STRING | constructed
)

func newBER(r io.Reader) *berReader {
	return &berReader{in: bufio.NewReaderSize(r, buffer)}
}

func (r *berReader) limit() int64 {
	if len(r.open) == 0 {
		return -1
	}
	return r.open[len(r.open)-1].limit
}

func (r *berReader) readByte() (byte, error) {
	if l := r.limit(); l >= 0 && r.at >= l {
		return 0, malformed("element longer than the one around it")
	}
	b, err := r.in.ReadByte()
	if err != nil {
		return 0, truncated(err)
	}
	r.at++
	return b, nil
}

// truncated turns the end of the stream into ErrMalformed and leaves other read errors what they are.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends too early")
	}
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) {
		return malformed("base64")
	}
	return fmt.Errorf("read signature: %w", err)
}

// next gives the head of the next element of the innermost open container. false: there is none, the container is left.
func (r *berReader) next() (berHead, bool, error) {
	if n := len(r.open); n > 0 && r.open[n-1].end == r.at {
		r.open = r.open[:n-1]
		return berHead{}, false, nil
	}
	id, err := r.readByte()
	if err != nil {
		return berHead{}, false, err
	}
	first, err := r.readByte()
	if err != nil {
		return berHead{}, false, err
	}
	if id == 0 {
		n := len(r.open)
		if first != 0 || n == 0 || r.open[n-1].end >= 0 {
			return berHead{}, false, malformed("end of contents")
		}
		r.open = r.open[:n-1]
		return berHead{}, false, nil
	}
	h := berHead{tag: cbasn1.Tag(id), length: int64(first)}
	if id&0x1f == 0x1f {
		return h, false, malformed("high tag number")
	}
	switch {
	case first == 0x80:
		if id&constructed == 0 {
			return h, false, malformed("indefinite length of a primitive")
		}
		h.length = -1
		return h, true, nil
	case first > 0x80:
		if first > 0x88 {
			return h, false, malformed("length")
		}
		h.length = 0
		for range first & 0x7f {
			b, err := r.readByte()
			if err != nil {
				return h, false, err
			}
			if h.length > 1<<54 {
				return h, false, malformed("length")
			}
			h.length = h.length<<8 | int64(b)
		}
	}
	if l := r.limit(); l >= 0 && h.length > l-r.at || h.length > 1<<62-r.at {
		return h, false, malformed("element longer than the one around it")
	}
	return h, true, nil
}

// enter opens a constructed element: next gives its members from now on.
func (r *berReader) enter(h berHead) error {
	if h.tag&constructed == 0 || len(r.open) == maxDepth {
		return malformed("nesting")
	}
	c := container{end: -1, limit: r.limit()}
	if h.length >= 0 {
		c.end = r.at + h.length
		c.limit = c.end
	}
	r.open = append(r.open, c)
	return nil
}

// expect takes the next element, which must have one of the tags.
func (r *berReader) expect(what string, tags ...cbasn1.Tag) (berHead, error) {
	h, more, err := r.next()
	if err != nil {
		return h, err
	}
	for _, t := range tags {
		if more && h.tag == t {
			return h, nil
		}
	}
	return h, malformed(what)
}

// into expects a constructed element and enters it.
func (r *berReader) into(what string, tag cbasn1.Tag) error {
	h, err := r.expect(what, tag)
	if err != nil {
		return err
	}
	return r.enter(h)
}

// leave demands the end of the innermost container.
func (r *berReader) leave(what string) error {
	_, more, err := r.next()
	if err == nil && more {
		err = malformed("more than expected in " + what)
	}
	return err
}

// read gives the element h in DER, of at most max octets: lengths definite and shortest, OCTET STRINGs in one piece.
func (r *berReader) read(h berHead, max int) ([]byte, error) {
	content, err := r.content(h, max)
	if err != nil {
		return nil, err
	}
	tag := h.tag
	if tag == octetsPieces {
		tag = cbasn1.OCTET_STRING
	}
	return append(header(tag, int64(len(content))), content...), nil
}

func (r *berReader) content(h berHead, max int) ([]byte, error) {
	if h.length > int64(max) {
		return nil, malformed("too large")
	}
	if h.tag&constructed == 0 {
		// Not all at once: a length alone must not cost its memory.
		var b bytes.Buffer
		n, err := io.CopyN(&b, r.in, h.length)
		r.at += n
		if err != nil {
			return nil, truncated(err)
		}
		return b.Bytes(), nil
	}
	if err := r.enter(h); err != nil {
		return nil, err
	}
	var out []byte
	for {
		child, more, err := r.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return out, nil
		}
		var piece []byte
		switch {
		case h.tag == octetsPieces && child.tag|constructed != octetsPieces:
			return nil, malformed("pieces of an OCTET STRING")
		case h.tag == octetsPieces:
			piece, err = r.content(child, max-len(out))
		default:
			piece, err = r.read(child, max-len(out))
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, piece...); len(out) > max {
			return nil, malformed("too large")
		}
	}
}

// octets streams the content of an OCTET STRING, in one piece or in many, to w.
func (r *berReader) octets(h berHead, w io.Writer) (int64, error) {
	if h.tag&constructed == 0 {
		return h.length, r.copy(h.length, w)
	}
	depth := len(r.open)
	if err := r.enter(h); err != nil {
		return 0, err
	}
	total := int64(0)
	for len(r.open) > depth {
		child, more, err := r.next()
		switch {
		case err != nil:
			return total, err
		case !more:
		case child.tag == octetsPieces:
			err = r.enter(child)
		case child.tag == cbasn1.OCTET_STRING:
			total += child.length
			err = r.copy(child.length, w)
		default:
			err = malformed("pieces of an OCTET STRING")
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (r *berReader) copy(n int64, w io.Writer) error {
	if r.buf == nil {
		r.buf = make([]byte, buffer)
	}
	for n > 0 {
		m, err := io.ReadFull(r.in, r.buf[:min(n, buffer)])
		if err != nil {
			return truncated(err)
		}
		r.at += int64(m)
		n -= int64(m)
		if _, err := w.Write(r.buf[:m]); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over an element of any size.
func (r *berReader) skip(h berHead) error {
	if h.length >= 0 {
		return r.copy(h.length, io.Discard)
	}
	depth := len(r.open)
	if err := r.enter(h); err != nil {
		return err
	}
	for len(r.open) > depth {
		child, more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			if child.length >= 0 {
				err = r.copy(child.length, io.Discard)
			} else {
				err = r.enter(child)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end demands the end of the stream.
func (r *berReader) end() error {
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return malformed("something follows the structure")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return truncated(err)
	}
}
