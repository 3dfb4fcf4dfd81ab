package pkcs12

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// Seal writes the store: with Russian algorithms when a GOST key is in it. Every key needs ID and Private.
func (l *Lock) Seal(s *Store) ([]byte, error) {
	f := familyFor(s)
	first := true
	var safes [][]byte
	if len(s.Keys) > 0 {
		var b cryptobyte.Builder
		b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, key := range s.Keys {
				if len(key.ID) == 0 || len(key.Private) == 0 {
					b.SetError(fmt.Errorf("%w: key %x without its parts", ErrUnsupported, key.ID))
					return
				}
				l.addKey(b, f, key, first)
				first = false
			}
		})
		safe, err := b.Bytes()
		if err != nil {
			return nil, err
		}
		safes = append(safes, safe)
	}
	if len(s.Certificates) > 0 {
		var b cryptobyte.Builder
		b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, certificate := range s.Certificates {
				addCertificate(b, certificate, first)
				first = false
			}
		})
		safe, err := b.Bytes()
		if err != nil {
			return nil, err
		}
		safes = append(safes, safe)
	}

	var b cryptobyte.Builder
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, safe := range safes {
			addData(b, safe)
		}
	})
	content, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	if at := checksumAt(content); at >= 0 {
		copy(content[at:], checksum(content, at, l.macSalt, l.secrets[f].macIterations))
	}
	return l.addMAC(f, content)
}

func (l *Lock) addMAC(f family, content []byte) ([]byte, error) {
	h := hmac.New(f.hash(), l.of(f).macKey)
	h.Write(content)
	var b cryptobyte.Builder
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, content)
		b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
				f.addDigest(b)
				b.AddASN1OctetString(h.Sum(nil))
			})
			b.AddASN1OctetString(l.macSalt)
			b.AddASN1Int64(int64(l.secrets[f].macIterations))
		})
	})
	return b.Bytes()
}

// addData adds a ContentInfo of type data.
func addData(b *cryptobyte.Builder, octets []byte) {
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidData)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(octets) })
	})
}

const explicit0 = cb.Tag(0xa0)

func (l *Lock) addKey(b *cryptobyte.Builder, f family, key Key, first bool) {
	params, text, err := f.encrypt(l.of(f).key, key.Private)
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidShroudedKeyBag)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
				l.addAlgorithm(b, f, params)
				b.AddASN1OctetString(text)
			})
		})
		addAttributes(b, key.ID, key.Label, key.Public, first)
	})
}

func (l *Lock) addAlgorithm(b *cryptobyte.Builder, f family, params func(*cryptobyte.Builder)) {
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidPBES2)
		b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidPBKDF2)
				b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(l.salt)
					b.AddASN1Int64(int64(l.secrets[f].iterations))
					b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(f.prf())
						b.AddASN1NULL()
					})
				})
			})
			b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(f.cipher())
				params(b)
			})
		})
	})
}

func addCertificate(b *cryptobyte.Builder, certificate Certificate, first bool) {
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidCertBag)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidX509Certificate)
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(certificate.DER) })
			})
		})
		addAttributes(b, certificate.ID, certificate.Label, nil, first)
	})
}

// addAttributes writes a SET OF in the order of DER: by encoding. The checksum goes in as zeros.
func addAttributes(b *cryptobyte.Builder, id []byte, label string, public []byte, withChecksum bool) {
	var set [][]byte
	add := func(kind []byte, value func(*cryptobyte.Builder)) {
		var b2 cryptobyte.Builder
		b2.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cb.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(kind) })
			b.AddASN1(cb.SET, value)
		})
		set = append(set, b2.BytesOrPanic())
	}
	if label != "" {
		add(attrFriendlyName, func(b *cryptobyte.Builder) {
			b.AddASN1(cb.Tag(30), func(b *cryptobyte.Builder) {
				for _, unit := range utf16.Encode([]rune(label)) {
					b.AddUint16(unit)
				}
			})
		})
	}
	if len(id) > 0 {
		add(attrLocalKeyID, func(b *cryptobyte.Builder) { b.AddASN1OctetString(id) })
	}
	if len(public) > 0 {
		add(attrPublicKey, func(b *cryptobyte.Builder) { b.AddBytes(public) })
	}
	if withChecksum {
		add(attrChecksum, func(b *cryptobyte.Builder) { b.AddASN1OctetString(make([]byte, sha256.Size)) })
	}
	if len(set) == 0 {
		return
	}
	b.AddASN1(cb.SET, func(b *cryptobyte.Builder) {
		slices.SortFunc(set, bytes.Compare)
		for _, attribute := range set {
			b.AddBytes(attribute)
		}
	})
}
