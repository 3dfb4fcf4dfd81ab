package ca

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSubjectKey       = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidKeyUsagePeriod   = asn1.ObjectIdentifier{2, 5, 29, 16}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidCRLNumber        = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReason           = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKey     = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityAccess  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidOCSP             = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidIssuers          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidOCSPNoCheck      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidClientAuth       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidEmailProtection  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	oidOCSPSigning      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}

	// FSB order 795.
	oidSubjectSignTool    = asn1.ObjectIdentifier{1, 2, 643, 100, 111}
	oidIssuerSignTool     = asn1.ObjectIdentifier{1, 2, 643, 100, 112}
	oidIdentificationKind = asn1.ObjectIdentifier{1, 2, 643, 100, 114}
)

// extensions gathers what a certificate or a list says besides its fields, RFC 5280 sections 4.2 and 5.2. Errors stay.
type extensions struct {
	list []pkix.Extension
	err  error
}

// add adds an extension with a value that f writes.
func (x *extensions) add(oid asn1.ObjectIdentifier, critical bool, f func(*cryptobyte.Builder)) {
	var b cryptobyte.Builder
	f(&b)
	value, err := b.Bytes()
	x.list, x.err = append(x.list, pkix.Extension{Id: oid, Critical: critical, Value: value}), errors.Join(x.err, err)
}

// sequence adds an extension whose value is a SEQUENCE.
func (x *extensions) sequence(oid asn1.ObjectIdentifier, critical bool, f func(*cryptobyte.Builder)) {
	x.add(oid, critical, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, f) })
}

// keys names the certified key and the key that signs.
func (x *extensions) keys(public, issuer []byte) {
	own, err := keyIdentifier(public)
	x.err = errors.Join(x.err, err)
	x.add(oidSubjectKey, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(own) })
	x.authority(issuer)
}

// authority names the key that signs by its identifier.
func (x *extensions) authority(key []byte) {
	x.sequence(oidAuthorityKey, false, func(b *cryptobyte.Builder) {
		b.AddASN1(implicit(0), func(b *cryptobyte.Builder) { b.AddBytes(key) })
	})
}

// Bits of keyUsage.
const (
	digitalSignature = 0
	nonRepudiation   = 1
	keyCertSign      = 5
	crlSign          = 6
)

func (x *extensions) usage(bits ...int) {
	var octet byte
	last := 0
	for _, n := range bits {
		octet |= 0x80 >> n
		last = max(last, n)
	}
	x.add(oidKeyUsage, true, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) { b.AddBytes([]byte{byte(7 - last), octet}) })
	})
}

func (x *extensions) purposes(oids ...asn1.ObjectIdentifier) {
	x.sequence(oidExtendedKeyUsage, false, func(b *cryptobyte.Builder) {
		for _, oid := range oids {
			b.AddASN1ObjectIdentifier(oid)
		}
	})
}

// authorityOf says that the subject is an authority, over depth more of them; -1 that it is none.
func (x *extensions) authorityOf(depth int) {
	x.sequence(oidBasicConstraints, true, func(b *cryptobyte.Builder) {
		if depth >= 0 {
			b.AddASN1Boolean(true)
			b.AddASN1Int64(int64(depth))
		}
	})
}

func (x *extensions) policies(oids ...asn1.ObjectIdentifier) {
	x.sequence(oidPolicies, false, func(b *cryptobyte.Builder) {
		for _, oid := range oids {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
		}
	})
}

// email is the subjectAltName.
func (x *extensions) email(address string) {
	x.sequence(oidSubjectAltName, false, func(b *cryptobyte.Builder) {
		b.AddASN1(implicit(1), func(b *cryptobyte.Builder) { b.AddBytes([]byte(address)) })
	})
}

func (x *extensions) crlAt(url string) {
	x.sequence(oidCRLPoints, false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { addURL(b, url) })
			})
		})
	})
}

// access says where the issuer's certificate is and, when there is one, the OCSP service.
func (x *extensions) access(ocsp, issuer string) {
	x.sequence(oidAuthorityAccess, false, func(b *cryptobyte.Builder) {
		for _, way := range []struct {
			oid asn1.ObjectIdentifier
			url string
		}{{oidOCSP, ocsp}, {oidIssuers, issuer}} {
			if way.url == "" {
				continue
			}
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(way.oid)
				addURL(b, way.url)
			})
		}
	})
}

func addURL(b *cryptobyte.Builder, url string) {
	b.AddASN1(implicit(6), func(b *cryptobyte.Builder) { b.AddBytes([]byte(url)) })
}

// keyPeriod is when the private key may sign: GeneralizedTime in context-specific tags (RFC 3280 section 4.2.1.4).
func (x *extensions) keyPeriod(from, to time.Time) {
	x.sequence(oidKeyUsagePeriod, false, func(b *cryptobyte.Builder) {
		for i, t := range []time.Time{from, to} {
			b.AddASN1(implicit(uint8(i)), func(b *cryptobyte.Builder) { b.AddBytes([]byte(t.UTC().Format("20060102150405Z"))) })
		}
	})
}

// signTools are the tool of the subject, and of the issuer four strings: tool, authority's tool, and the papers of both (order 795).
func (x *extensions) signTools(subject string, issuer [4]string) {
	x.add(oidSubjectSignTool, false, func(b *cryptobyte.Builder) { addText(b, subject) })
	x.sequence(oidIssuerSignTool, false, func(b *cryptobyte.Builder) {
		for _, s := range issuer {
			addText(b, s)
		}
	})
}

func (x *extensions) identification(kind int) {
	x.add(oidIdentificationKind, false, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(kind)) })
}

func (x *extensions) number(n *big.Int) {
	x.add(oidCRLNumber, false, func(b *cryptobyte.Builder) { b.AddASN1BigInt(n) })
}

func addText(b *cryptobyte.Builder, s string) {
	b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

// keyIdentifier is RFC 7093 section 2 method 1.
func keyIdentifier(public []byte) ([]byte, error) {
	bits, err := keyBits(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bits)
	return sum[:20], nil
}

// keyBits is the BIT STRING of a SubjectPublicKeyInfo.
func keyBits(public []byte) ([]byte, error) {
	in := cryptobyte.String(public)
	var seq, algorithm cryptobyte.String
	var bits []byte
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !seq.ReadASN1BitStringAsBytes(&bits) {
		return nil, fmt.Errorf("%w: no public key", ErrBadRequest)
	}
	return bits, nil
}
