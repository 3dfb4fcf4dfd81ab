package signature

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"strings"
	"sync"
	"time"
)

// Document is what is signed. Digest is by the hash of the key's algorithm. With Content (exactly Size octets) the signature is attached: it
// carries the document.
type Document struct {
	Digest    []byte
	Content   io.Reader
	Size      int64
	MediaType string // "application/pdf"; "" when unknown
}

// CAdES writes a CAdES-B-B signature (EN 319 122-1 section 6) over d to w: one DER SignedData, attached when d has Content.
//
// Signed attributes: content-type, message-digest, signing-time, signing-certificate-v2 with issuer and serial number, and mime-type when the
// media type is given. That is the attribute for a plain document: content-hints is for the innermost content of a multi-layer message
// (sections 5.2.4.1 and 5.2.4.2).
//
// Of the chain everything but a self-issued root is included (section 6.3: what a verifier needs to build the path): a root means nothing
// unless the verifier has it from elsewhere. A self-signed signer is included.
//
// The signature is made and proved before the first octet is written. When the content then has another size or digest than was signed,
// ErrDocumentChanged is returned and what was written so far is not a whole structure.
func CAdES(ctx context.Context, w io.Writer, k Key, d Document, signingTime time.Time) error {
	b, err := k.Batch()
	if err != nil {
		return err
	}
	return b.CAdES(ctx, w, d, signingTime)
}

// mediaType gives a media type in canonical form (RFC 2045 section 5.1).
func mediaType(s string) (string, error) {
	t, params, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(t, "/") || len(s) > 255 {
		return "", malformed("media type")
	}
	if s = mime.FormatMediaType(t, params); s == "" {
		return "", malformed("media type")
	}
	return s, nil
}

// Write writes the signature to w, once. It digests the content on the way: ErrDocumentChanged when it is not what was signed; what was
// written so far is not a whole structure then.
func (s *Sealed) Write(ctx context.Context, w io.Writer) error {
	if _, err := w.Write(s.head); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	if s.document.Content == nil {
		return nil
	}
	if err := copyContent(ctx, w, s.digest, s.document); err != nil {
		return err
	}
	if _, err := w.Write(s.tail); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	return nil
}

// copyContent streams the document and proves that it is the one that was signed.
func copyContent(ctx context.Context, w io.Writer, dig digest, d Document) error {
	h := dig.new()
	n, err := Copy(ctx, w, d.Content, d.Size, h)
	if err != nil {
		return err
	}
	if n < d.Size {
		return fmt.Errorf("%d octets are missing: %w", d.Size-n, ErrDocumentChanged)
	}
	switch n, err := io.ReadFull(d.Content, make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("it is longer than %d octets: %w", d.Size, ErrDocumentChanged)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read document: %w", err)
	}
	if !bytes.Equal(h.Sum(nil), d.Digest) {
		return ErrDocumentChanged
	}
	return nil
}

// piece is how much of a document is read at once, octets; two of them are in memory.
const piece = 256 << 10

// Copy copies up to limit octets from r to w (nil: nowhere) and gives them to the digests. A piece is digested while it is written and the
// next one is read. It is no error when r has fewer.
func Copy(ctx context.Context, w io.Writer, r io.Reader, limit int64, digests ...hash.Hash) (int64, error) {
	var buffers [2][]byte
	var digesting sync.WaitGroup
	defer digesting.Wait()
	done := int64(0)
	for i := 0; done < limit; i ^= 1 {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		want := int(min(limit-done, piece))
		if len(buffers[i]) < want {
			buffers[i] = make([]byte, want)
		}
		n, err := io.ReadFull(r, buffers[i][:want])
		part := buffers[i][:n]
		digesting.Wait()
		for _, h := range digests {
			if limit <= piece {
				h.Write(part)
			} else {
				digesting.Go(func() { h.Write(part) })
			}
		}
		if w != nil && n > 0 {
			if _, err := w.Write(part); err != nil {
				return done, fmt.Errorf("write signature: %w", err)
			}
		}
		done += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return done, nil
		}
		if err != nil {
			return done, fmt.Errorf("read document: %w", err)
		}
	}
	return done, nil
}
