package ca

import (
	"crypto/x509/pkix"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/agent/signature"
)

// Certificates, lists and answers are written here and not by crypto/x509, which signs with no GOST key.

// der is a SEQUENCE.
func der(f func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, f)
	return b.Bytes()
}

// explicit is a constructed context-specific tag, implicit one of a primitive.
func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
func implicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// addTime writes a time as RFC 5280 section 4.1.2.5 wants it: UTCTime through 2049.
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() < 2050 {
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}

func addExtensions(b *cryptobyte.Builder, list []pkix.Extension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range list {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.Id)
				if e.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.Value)
			})
		}
	})
}

// template is what a certificate says (RFC 5280 section 4.1).
type template struct {
	serial              *big.Int
	subject             []byte // Name, DER
	notBefore, notAfter time.Time
	public              []byte // SubjectPublicKeyInfo, DER
	extensions          []pkix.Extension
}

// certificate signs a certificate in the name of issuer (DER).
func (k signer) certificate(issuer []byte, t template) ([]byte, error) {
	identifier, err := signature.AlgorithmIdentifier(k.scheme)
	if err != nil {
		return nil, err
	}
	tbs, err := der(func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // v3
		b.AddASN1BigInt(t.serial)
		b.AddBytes(identifier)
		b.AddBytes(issuer)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.notBefore)
			addTime(b, t.notAfter)
		})
		b.AddBytes(t.subject)
		b.AddBytes(t.public)
		b.AddASN1(explicit(3), func(b *cryptobyte.Builder) { addExtensions(b, t.extensions) })
	})
	if err != nil {
		return nil, err
	}
	return k.signed(tbs)
}

// revoked is an entry of a list.
type revoked struct {
	serial *big.Int
	at     time.Time
	reason int // 0 (unspecified) is not written
}

// list signs a CRL in the name of issuer (DER), RFC 5280 section 5.1.
func (k signer) list(issuer []byte, this, next time.Time, entries []revoked, extensions []pkix.Extension) ([]byte, error) {
	identifier, err := signature.AlgorithmIdentifier(k.scheme)
	if err != nil {
		return nil, err
	}
	tbs, err := der(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1) // v2
		b.AddBytes(identifier)
		b.AddBytes(issuer)
		addTime(b, this)
		addTime(b, next)
		if len(entries) > 0 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range entries {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1BigInt(e.serial)
						addTime(b, e.at)
						if e.reason != 0 {
							addExtensions(b, []pkix.Extension{{Id: oidReason, Value: []byte{byte(cbasn1.ENUM), 1, byte(e.reason)}}})
						}
					})
				}
			})
		}
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { addExtensions(b, extensions) })
	})
	if err != nil {
		return nil, err
	}
	return k.signed(tbs)
}
