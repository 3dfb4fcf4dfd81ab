package names

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// String types beyond those cryptobyte names.
const (
	tagNumericString   = cbasn1.Tag(18)
	tagVisibleString   = cbasn1.Tag(26)
	tagUniversalString = cbasn1.Tag(28)
	tagBMPString       = cbasn1.Tag(30)
)

// Names of certificates have some ten attributes.
const maxAttributes = 100

// Parse reads a DER Name. Every ASN.1 string type is read, a value of another type is shown as "#" and the hex of its encoding; attributes of
// unknown OIDs are kept.
func Parse(der []byte) (Name, error) {
	in := cryptobyte.String(der)
	var rdns cryptobyte.String
	if !in.ReadASN1(&rdns, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, ErrMalformed
	}
	var n Name
	for !rdns.Empty() {
		var rdn cryptobyte.String
		if !rdns.ReadASN1(&rdn, cbasn1.SET) || rdn.Empty() {
			return nil, ErrMalformed
		}
		for !rdn.Empty() {
			var pair, raw, value cryptobyte.String
			var oid asn1.ObjectIdentifier
			var tag cbasn1.Tag
			if !rdn.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) {
				return nil, ErrMalformed
			}
			if !pair.ReadAnyASN1Element(&raw, &tag) || !pair.Empty() {
				return nil, ErrMalformed
			}
			whole := raw
			if !raw.ReadAnyASN1(&value, &tag) {
				return nil, ErrMalformed
			}
			if len(n) == maxAttributes {
				return nil, fmt.Errorf("%w: more than %d attributes", ErrMalformed, maxAttributes)
			}
			m, _ := byOID(oid)
			s, ok := decode(tag, value)
			if !ok {
				s = "#" + hex.EncodeToString(whole)
			}
			n = append(n, Attribute{OID: oid, Member: m.name, Value: s})
		}
	}
	return n, nil
}

func decode(tag cbasn1.Tag, value []byte) (string, bool) {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, tagNumericString, cbasn1.IA5String, tagVisibleString:
		return strings.ToValidUTF8(string(value), "�"), true
	case cbasn1.T61String: // in practice ISO 8859-1, as other programs read it
		r := make([]rune, len(value))
		for i, b := range value {
			r[i] = rune(b)
		}
		return string(r), true
	case tagBMPString:
		if len(value)%2 != 0 {
			return "", false
		}
		u := make([]uint16, len(value)/2)
		for i := range u {
			u[i] = uint16(value[2*i])<<8 | uint16(value[2*i+1])
		}
		return string(utf16.Decode(u)), true
	case tagUniversalString:
		if len(value)%4 != 0 {
			return "", false
		}
		r := make([]rune, len(value)/4)
		for i := range r {
			c := uint32(value[4*i])<<24 | uint32(value[4*i+1])<<16 | uint32(value[4*i+2])<<8 | uint32(value[4*i+3])
			r[i] = utf8.RuneError
			if c <= utf8.MaxRune {
				r[i] = rune(c)
			}
		}
		return string(r), true
	}
	return "", false
}

// Marshal writes the name in DER, each attribute in a relative distinguished name of its own: identifiers as NumericString, country as
// PrintableString, e-mail as IA5String, everything else as UTF8String.
func (n Name) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range n {
			tag := cbasn1.UTF8String
			if m, known := byOID(a.OID); known {
				switch m.kind {
				case printable:
					tag = cbasn1.PrintableString
				case numeric:
					tag = tagNumericString
				case ia5:
					tag = cbasn1.IA5String
				}
			}
			if !fits(tag, a.Value) {
				b.SetError(fmt.Errorf("%w: characters of %s", ErrMalformed, a.OID))
				return
			}
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.OID)
					b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.Value)) })
				})
			})
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode name: %w", err)
	}
	return der, nil
}

func fits(tag cbasn1.Tag, s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch tag {
		case cbasn1.PrintableString:
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" '()+,-./:=?", r)) {
				return false
			}
		case tagNumericString:
			if r != ' ' && (r < '0' || r > '9') {
				return false
			}
		case cbasn1.IA5String:
			if r > 127 {
				return false
			}
		}
	}
	return true
}
