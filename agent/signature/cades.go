package signature

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Document is what is signed. Digest is by the hash of the key's algorithm. With Content (exactly Size octets) the signature is attached: it
// carries the document.
type Document struct {
	Digest    []byte
	Content   io.Reader
	Size      int64
	MediaType string // "application/pdf"; "" when unknown
}

// Content passes through one buffer of this size, whatever its own.
const buffer = 64 << 10

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
	a, err := lookup(k.Algorithm)
	if err != nil {
		return err
	}
	leaf, err := k.leaf()
	if err != nil {
		return err
	}
	p, err := parsePublic(leaf.public)
	if err != nil {
		return err
	}
	if d.Content != nil && d.Size < 0 {
		return malformed("negative size of the document")
	}
	if len(d.Digest) != a.digest.size {
		return malformed("digest of " + size(len(d.Digest)))
	}
	attributes, err := signedAttributes(leaf, a.digest, d, signingTime)
	if err != nil {
		return err
	}
	h := a.digest.new()
	h.Write(element(cbasn1.SET, attributes)) // signed as SET OF, written as [0] (RFC 5652 section 5.4)
	sig, err := k.signed(ctx, p, a, h.Sum(nil))
	if err != nil {
		return err
	}
	certificates, err := k.included()
	if err != nil {
		return err
	}
	head, tail := frame(leaf, a, d, attributes, sig, certificates)
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	if d.Content != nil {
		if err := copyContent(ctx, w, a.digest, d); err != nil {
			return err
		}
	}
	if _, err := w.Write(tail); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	return nil
}

// signedAttributes gives the content of the SET OF.
func signedAttributes(leaf *certificate, d digest, doc Document, signingTime time.Time) ([]byte, error) {
	der := func(add func(b *cryptobyte.Builder)) [][]byte {
		var b cryptobyte.Builder
		add(&b)
		return [][]byte{b.BytesOrPanic()}
	}
	list := []attribute{
		{oidContentType, der(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })},
		{oidMessageDigest, der(func(b *cryptobyte.Builder) { b.AddASN1OctetString(doc.Digest) })},
		{oidSigningTime, der(func(b *cryptobyte.Builder) { addTime(b, signingTime) })},
		{oidSigningCertV2, [][]byte{leaf.essCertificate(d)}},
	}
	if doc.MediaType != "" {
		m, err := mediaType(doc.MediaType)
		if err != nil {
			return nil, err
		}
		list = append(list, attribute{oidMimeType, [][]byte{element(cbasn1.UTF8String, []byte(m))}})
	}
	return attributeSet(list), nil
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

// included gives the certificates that go into the signature, sorted as a DER SET OF.
func (k Key) included() ([]byte, error) {
	var list [][]byte
	for i, der := range k.Chain {
		c, err := parseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", i, err)
		}
		if i > 0 && c.selfIssued() {
			continue
		}
		if !containsBytes(list, der) {
			list = append(list, der)
		}
	}
	return sortedSet(list), nil
}

func containsBytes(list [][]byte, b []byte) bool {
	for _, x := range list {
		if bytes.Equal(x, b) {
			return true
		}
	}
	return false
}

// frame gives the octets before and after the content. All lengths are known before the first octet is written.
func frame(leaf *certificate, a algorithm, d Document, attributes, sig, certificates []byte) (head, tail []byte) {
	tail = signedDataTail(leaf, a, attributes, sig, certificates)
	// From the inside out: each step puts a header before head.
	body := int64(0)
	wrap := func(tag cbasn1.Tag, before ...[]byte) {
		inner := append(bytes.Join(before, nil), head...)
		body += int64(len(bytes.Join(before, nil)))
		h := header(tag, body)
		head = append(h, inner...)
		body += int64(len(h))
	}
	if d.Content != nil {
		body = d.Size
		wrap(cbasn1.OCTET_STRING)
		wrap(tagEncapsulated)
	}
	wrap(cbasn1.SEQUENCE, oidElement(oidData))
	body += int64(len(tail))
	version := []byte{2, 1, 1}
	wrap(cbasn1.SEQUENCE, version, digestAlgorithms(a.digest))
	wrap(explicit(0))
	wrap(cbasn1.SEQUENCE, oidElement(oidSignedData))
	return head, tail
}

func oidElement(oid asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(oid)
	return b.BytesOrPanic()
}

func digestAlgorithms(d digest) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SET, identifier{oid: d.oid}.add)
	return b.BytesOrPanic()
}

// signedDataTail gives certificates and signerInfos.
func signedDataTail(leaf *certificate, a algorithm, attributes, sig, certificates []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tagCertificates, func(b *cryptobyte.Builder) { b.AddBytes(certificates) })
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(leaf.issuer)
				leaf.addSerial(b)
			})
			identifier{oid: a.digest.oid}.add(b)
			b.AddASN1(tagSignedAttrs, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
			a.cms.add(b)
			b.AddASN1OctetString(sig)
		})
	})
	return b.BytesOrPanic()
}

// copyContent streams the document and proves that it is the one that was signed.
func copyContent(ctx context.Context, w io.Writer, dig digest, d Document) error {
	h := dig.new()
	buf := make([]byte, buffer)
	left := d.Size
	for left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(d.Content, buf[:min(left, buffer)])
		h.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return fmt.Errorf("write signature: %w", err)
		}
		left -= int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%d octets are missing: %w", left, ErrDocumentChanged)
		}
		if err != nil {
			return fmt.Errorf("read document: %w", err)
		}
	}
	switch n, err := io.ReadFull(d.Content, buf[:1]); {
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
