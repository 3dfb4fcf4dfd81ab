package signature

import (
	"bytes"
	"context"
	"encoding/asn1"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Batch makes any number of signatures with one key: the certificates and the key are read once, and what is the same in all signatures is
// built once. It may be used from several goroutines.
type Batch struct {
	key       Key
	algorithm algorithm
	public    *publicKey

	contentType, messageDigest, signingCertificate []byte // Attributes; messageDigest up to the digest itself

	dataType   []byte // eContentType, and where it stands alone, its SEQUENCE too
	before     []byte // SignedData: version and digestAlgorithms
	signedData []byte // contentType of the whole
	included   []byte // certificates [0]
	signer     []byte // SignerInfo: version, sid, digestAlgorithm
	signedWith []byte // SignerInfo: signatureAlgorithm
}

// Batch reads the chain. It fails where every signature would.
func (k Key) Batch() (*Batch, error) {
	a, err := lookup(k.Algorithm)
	if err != nil {
		return nil, err
	}
	leaf, err := k.leaf()
	if err != nil {
		return nil, err
	}
	p, err := parsePublic(leaf.public)
	if err != nil {
		return nil, err
	}
	certificates, err := k.included()
	if err != nil {
		return nil, err
	}
	md := attribute{oidMessageDigest, [][]byte{element(cbasn1.OCTET_STRING, make([]byte, a.digest.size))}}.marshal()
	digestID := identifier{oid: a.digest.oid}.marshal()
	return &Batch{
		key: k, algorithm: a, public: p,
		contentType:        attribute{oidContentType, [][]byte{oidElement(oidData)}}.marshal(),
		messageDigest:      md[:len(md)-a.digest.size],
		signingCertificate: attribute{oidSigningCertV2, [][]byte{leaf.essCertificate(a.digest)}}.marshal(),
		dataType:           oidElement(oidData),
		before:             slices.Concat([]byte{2, 1, 1}, element(cbasn1.SET, digestID)),
		signedData:         oidElement(oidSignedData),
		included:           element(tagCertificates, certificates),
		signer:             slices.Concat([]byte{2, 1, 1}, element(cbasn1.SEQUENCE, slices.Concat(leaf.issuer, element(cbasn1.INTEGER, leaf.serial))), digestID),
		signedWith:         a.cms[0].marshal(),
	}, nil
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
		if !slices.ContainsFunc(list, func(other []byte) bool { return bytes.Equal(other, der) }) {
			list = append(list, der)
		}
	}
	return sortedSet(list), nil
}

func oidElement(oid asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(oid)
	return b.BytesOrPanic()
}

func (i identifier) marshal() []byte {
	var b cryptobyte.Builder
	i.add(&b)
	return b.BytesOrPanic()
}

// Raw is Raw for one of the batch.
func (b *Batch) Raw(ctx context.Context, digest []byte) ([]byte, error) {
	return b.key.signedDigest(ctx, b.public, b.algorithm, digest)
}

// CAdES is CAdES for one of the batch.
func (b *Batch) CAdES(ctx context.Context, w io.Writer, d Document, signingTime time.Time) error {
	s, err := b.Seal(ctx, d, signingTime)
	if err != nil {
		return err
	}
	return s.Write(ctx, w)
}

// Sealed is a signature that was made and proved, and that is not written yet.
type Sealed struct {
	head, tail []byte // around the content; a detached signature is all in head
	document   Document
	digest     digest
}

// Size is how many octets Write writes.
func (s *Sealed) Size() int64 {
	n := int64(len(s.head) + len(s.tail))
	if s.document.Content != nil {
		n += s.document.Size
	}
	return n
}

// Seal signs d without reading its content, which Write does.
func (b *Batch) Seal(ctx context.Context, d Document, signingTime time.Time) (*Sealed, error) {
	if d.Content != nil && d.Size < 0 {
		return nil, malformed("negative size of the document")
	}
	if len(d.Digest) != b.algorithm.digest.size {
		return nil, malformed("digest of " + size(len(d.Digest)))
	}
	set, attributes, err := b.attributes(d, signingTime)
	if err != nil {
		return nil, err
	}
	sig, err := b.key.signed(ctx, b.public, b.algorithm, set) // as SET OF, written as [0] (RFC 5652 section 5.4)
	if err != nil {
		return nil, err
	}
	head, tail := b.frame(d, attributes, sig)
	return &Sealed{head, tail, d, b.algorithm.digest}, nil
}

// attributes gives the signed attributes as a SET OF, and its content alone.
func (b *Batch) attributes(doc Document, signingTime time.Time) (set, content []byte, err error) {
	buffer := append(make([]byte, 0, 128), b.messageDigest...)
	buffer = append(buffer, doc.Digest...)
	n := len(buffer)
	buffer = appendSigningTime(buffer, signingTime)
	list := make([][]byte, 0, 5)
	list = append(list, b.contentType, buffer[:n:n], buffer[n:], b.signingCertificate)
	if doc.MediaType != "" {
		m, err := mediaType(doc.MediaType)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, attribute{oidMimeType, [][]byte{element(cbasn1.UTF8String, []byte(m))}}.marshal())
	}
	slices.SortFunc(list, bytes.Compare) // X.690 section 11.6
	length := 0
	for _, a := range list {
		length += len(a)
	}
	set = appendHeader(make([]byte, 0, length+maxHeader), cbasn1.SET, int64(length))
	begin := len(set)
	for _, a := range list {
		set = append(set, a...)
	}
	return set, set[begin:], nil
}

// appendSigningTime appends the attribute; Time is UTCTime from 1950 to 2049, GeneralizedTime outside (RFC 5652 section 11.3).
func appendSigningTime(to []byte, t time.Time) []byte {
	t = t.UTC()
	tag, form := cbasn1.UTCTime, "060102150405Z"
	if y := t.Year(); y < 1950 || y > 2049 {
		tag, form = cbasn1.GeneralizedTime, "20060102150405Z"
	}
	n := byte(len(form))
	to = append(to, byte(cbasn1.SEQUENCE), n+15)
	to = append(to, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5) // oidSigningTime
	to = append(to, byte(cbasn1.SET), n+2, byte(tag), n)
	return t.AppendFormat(to, form)
}

// frame gives the octets before and after the content. All lengths are known before the first octet is written.
func (b *Batch) frame(d Document, attributes, sig []byte) (head, tail []byte) {
	info := int64(len(b.signer)) + whole(int64(len(attributes))) + int64(len(b.signedWith)) + whole(int64(len(sig)))
	infos := whole(info)
	content := int64(len(b.dataType)) // of encapContentInfo
	if d.Content != nil {
		content += whole(whole(d.Size))
	}
	signedData := int64(len(b.before)) + whole(content) + int64(len(b.included)) + whole(infos)
	all := int64(len(b.signedData)) + whole(whole(signedData))

	fixed := len(b.signedData) + len(b.before) + len(b.dataType) + len(b.included) + len(b.signer) + len(attributes) + len(b.signedWith) + len(sig)
	out := make([]byte, 0, fixed+10*maxHeader)
	out = append(appendHeader(out, cbasn1.SEQUENCE, all), b.signedData...)
	out = appendHeader(out, explicit(0), whole(signedData))
	out = append(appendHeader(out, cbasn1.SEQUENCE, signedData), b.before...)
	out = append(appendHeader(out, cbasn1.SEQUENCE, content), b.dataType...)
	if d.Content != nil {
		out = appendHeader(out, tagEncapsulated, whole(d.Size))
		out = appendHeader(out, cbasn1.OCTET_STRING, d.Size)
	}
	n := len(out)
	out = append(out, b.included...)
	out = appendHeader(out, cbasn1.SET, infos)
	out = append(appendHeader(out, cbasn1.SEQUENCE, info), b.signer...)
	out = append(appendHeader(out, tagSignedAttrs, int64(len(attributes))), attributes...)
	out = append(out, b.signedWith...)
	out = append(appendHeader(out, cbasn1.OCTET_STRING, int64(len(sig))), sig...)
	if d.Content == nil {
		return out, nil
	}
	return out[:n:n], out[n:]
}

// maxHeader is the longest tag and length of an element, octets.
const maxHeader = 10

// whole is the length of an element whose content has n octets.
func whole(n int64) int64 {
	header := int64(2)
	if n >= 0x80 {
		for left := n; left > 0; left >>= 8 {
			header++
		}
	}
	return header + n
}
