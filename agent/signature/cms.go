package signature

import (
	"bytes"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Content types and attributes of CMS (RFC 5652), ESS (RFC 5035) and CAdES (EN 319 122-1).
var (
	oidData            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidDigestedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 5}
	oidContentType     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCert     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidMimeType        = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 1}
	oidSubjectKeyID    = asn1.ObjectIdentifier{2, 5, 29, 14}
	tagDirectoryName   = explicit(4)
	tagCertificates    = explicit(0)
	tagSignedAttrs     = explicit(0)
	tagEncapsulated    = explicit(0)
	tagKeyIdentifier   = cbasn1.Tag(0).ContextSpecific()
	tagUnsignedAttrs   = explicit(1)
	tagRevocationInfos = explicit(1)
)

// attribute is one Attribute of CMS or PKCS#10 with its values in DER.
type attribute struct {
	oid    asn1.ObjectIdentifier
	values [][]byte
}

func (a attribute) marshal() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.oid)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(sortedSet(a.values)) })
	})
	return b.BytesOrPanic()
}

// sortedSet gives the content of a DER SET OF (X.690 section 11.6: ascending, the shorter padded with zeros).
func sortedSet(members [][]byte) []byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, bytes.Compare)
	return bytes.Join(sorted, nil)
}

// attributeSet gives the content of a DER SET OF Attribute.
func attributeSet(list []attribute) []byte {
	members := make([][]byte, len(list))
	for i, a := range list {
		members[i] = a.marshal()
	}
	return sortedSet(members)
}

func element(tag cbasn1.Tag, content []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	return b.BytesOrPanic()
}

// header gives tag and length octets of an element whose content has n octets: for content that is not in memory.
func header(tag cbasn1.Tag, n int64) []byte { return appendHeader(nil, tag, n) }

func appendHeader(to []byte, tag cbasn1.Tag, n int64) []byte {
	if n < 0x80 {
		return append(to, byte(tag), byte(n))
	}
	octets := 0
	for left := n; left > 0; left >>= 8 {
		octets++
	}
	to = append(to, byte(tag), 0x80|byte(octets))
	for octets--; octets >= 0; octets-- {
		to = append(to, byte(n>>(8*octets)))
	}
	return to
}

func (c *certificate) addSerial(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(c.serial) })
}

// essCertificate gives SigningCertificateV2 (RFC 5035 section 3) for one certificate: its hash, and issuer with serial number.
func (c *certificate) essCertificate(d digest) []byte {
	h := d.new()
	h.Write(c.raw)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // SigningCertificateV2
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // certs
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // ESSCertIDv2
				if !d.oid.Equal(sha256Digest.oid) { // DEFAULT id-sha256 is not written in DER
					identifier{oid: d.oid}.add(b)
				}
				b.AddASN1OctetString(h.Sum(nil))
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // IssuerSerial
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // GeneralNames
						b.AddASN1(tagDirectoryName, func(b *cryptobyte.Builder) { b.AddBytes(c.issuer) })
					})
					c.addSerial(b)
				})
			})
		})
	})
	return b.BytesOrPanic()
}
