package signature

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// privateKey describes a private key by its kind: PKCS#8 (RFC 5958), PKCS#1, SEC 1. Its value is not read.
func (i inspector) privateKey(data []byte) (Description, error) {
	d := Description{Kind: KindPrivateKey}
	in := cryptobyte.String(data)
	var seq cryptobyte.String
	var version int
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) || version < 0 || version > 1 {
		return d, ErrUnknownKind
	}
	switch {
	case seq.PeekASN1Tag(cbasn1.SEQUENCE):
		id, err := readIdentifier(&seq)
		if err != nil || !seq.SkipASN1(cbasn1.OCTET_STRING) {
			return d, ErrUnknownKind
		}
		d.add("inspect.format", "PKCS#8")
		d.add("inspect.key", keyKind(id))
	case seq.PeekASN1Tag(cbasn1.INTEGER):
		d.add("inspect.format", "PKCS#1")
		d.add("inspect.key", "RSA")
	case version == 1 && seq.SkipASN1(cbasn1.OCTET_STRING):
		d.add("inspect.format", "SEC 1")
		d.add("inspect.key", "EC")
	default:
		return d, ErrUnknownKind
	}
	d.word("inspect.protection", "inspect.protection.none")
	return d, nil
}

// keyKind names algorithm and curve.
func keyKind(id identifier) string {
	if isGOST(id.oid) {
		return gostKind(id)
	}
	params := cryptobyte.String(id.params)
	var named asn1.ObjectIdentifier
	if params.ReadASN1ObjectIdentifier(&named) {
		for _, c := range curves {
			if c.oid.Equal(named) {
				return "EC " + c.curve.Params().Name
			}
		}
	}
	return oidName(id.oid)
}

func (i inspector) encryptedKey(data []byte) (Description, error) {
	d := Description{Kind: KindEncryptedKey}
	in := cryptobyte.String(data)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return d, ErrUnknownKind
	}
	id, err := readIdentifier(&seq)
	if err != nil || !seq.SkipASN1(cbasn1.OCTET_STRING) || !seq.Empty() {
		return d, ErrUnknownKind
	}
	d.add("inspect.format", "PKCS#8")
	d.add("inspect.encryption", encryption(id))
	return d, nil
}

// encryption names how something is encrypted; of PBES2 (RFC 8018 appendix A.4, RFC 9337) the cipher and the function under PBKDF2 too.
func encryption(id identifier) string {
	name := oidName(id.oid)
	if !id.oid.Equal(oidPBES2) {
		return name
	}
	in := cryptobyte.String(id.params)
	var seq, kdf cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return name
	}
	derivation, err := readIdentifier(&seq)
	if err != nil {
		return name
	}
	cipher, err := readIdentifier(&seq)
	if err != nil {
		return name
	}
	name += ": " + oidName(cipher.oid)
	in = derivation.params
	if derivation.oid.Equal(oidPBKDF2) && in.ReadASN1(&kdf, cbasn1.SEQUENCE) && kdf.SkipASN1(cbasn1.OCTET_STRING) && kdf.SkipASN1(cbasn1.INTEGER) &&
		kdf.SkipOptionalASN1(cbasn1.INTEGER) && !kdf.Empty() {
		if prf, err := readIdentifier(&kdf); err == nil {
			name += ", " + oidName(prf.oid)
		}
	}
	return name
}

var (
	oidPBES2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidBag           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1}
	oidX509Bag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
)

// pkcs12 describes a key store by what can be seen without its password (RFC 7292).
func (i inspector) pkcs12(data []byte) (Description, error) {
	d := Description{Kind: KindPKCS12}
	bad := malformed("PKCS#12")
	der, err := normal(data)
	if err != nil {
		return d, err
	}
	in := cryptobyte.String(der)
	var pfx, mac cryptobyte.String
	if !in.ReadASN1(&pfx, cbasn1.SEQUENCE) || !pfx.SkipASN1(cbasn1.INTEGER) {
		return d, bad
	}
	oid, content, ok := contentInfo(&pfx)
	if !ok {
		return d, bad
	}
	s := store{inspector: i, d: &d}
	switch {
	case oid.Equal(oidData):
		if err := s.authenticatedSafe(content); err != nil {
			return d, err
		}
		if !pfx.Empty() {
			if !pfx.ReadASN1(&mac, cbasn1.SEQUENCE) || !d.mac(mac) {
				return d, bad
			}
		} else {
			d.word("inspect.mac", "inspect.mac.none")
		}
	default: // public-key integrity mode: SignedData
		d.add("inspect.contentType", oidName(oid))
	}
	d.add("inspect.keyBags", strconv.Itoa(s.keys))
	d.add("inspect.certificateBags", strconv.Itoa(s.certificates))
	d.add("inspect.encryptedParts", strconv.Itoa(s.encrypted))
	d.add("inspect.encryption", strings.Join(s.methods, ", "))
	d.add("inspect.names", strings.Join(s.names, ", "))
	return d, nil
}

// normal gives BER as DER.
func normal(data []byte) ([]byte, error) {
	r := newBER(bytes.NewReader(data))
	h, err := r.expect("structure", sequenceTag)
	if err != nil {
		return nil, err
	}
	der, err := r.read(h, 2*len(data)+16)
	if err != nil {
		return nil, err
	}
	return der, r.end()
}

// contentInfo reads a ContentInfo of PKCS#12: data gives its octets, any other type what is in [0].
func contentInfo(in *cryptobyte.String) (oid asn1.ObjectIdentifier, content cryptobyte.String, ok bool) {
	var seq, explicit0 cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) || !seq.ReadASN1(&explicit0, explicit(0)) {
		return nil, nil, false
	}
	if !oid.Equal(oidData) {
		return oid, explicit0, true
	}
	return oid, content, explicit0.ReadASN1(&content, cbasn1.OCTET_STRING)
}

func (d *Description) mac(in cryptobyte.String) bool {
	var info cryptobyte.String
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.SkipASN1(cbasn1.OCTET_STRING) {
		return false
	}
	id, err := readIdentifier(&info)
	if err != nil {
		return false
	}
	iterations := int64(1)
	if !in.Empty() && !in.ReadASN1Integer(&iterations) {
		return false
	}
	d.add("inspect.mac", "HMAC "+oidName(id.oid))
	d.add("inspect.iterations", strconv.FormatInt(iterations, 10))
	return true
}

// store counts what a key store holds.
type store struct {
	inspector
	d                             *Description
	keys, certificates, encrypted int
	methods, names                []string
}

func (s *store) authenticatedSafe(content []byte) error {
	bad := malformed("PKCS#12 contents")
	der, err := normal(content)
	if err != nil {
		return err
	}
	in := cryptobyte.String(der)
	var list cryptobyte.String
	in.ReadASN1(&list, cbasn1.SEQUENCE)
	for !list.Empty() {
		oid, content, ok := contentInfo(&list)
		if !ok {
			return bad
		}
		if oid.Equal(oidData) {
			if err := s.safeContents(content, 0); err != nil {
				return err
			}
			continue
		}
		s.encrypted++
		var seq, info cryptobyte.String
		if oid.Equal(oidEncryptedData) && content.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.SkipASN1(cbasn1.INTEGER) &&
			seq.ReadASN1(&info, cbasn1.SEQUENCE) && info.SkipASN1(cbasn1.OBJECT_IDENTIFIER) {
			if id, err := readIdentifier(&info); err == nil {
				s.method(id)
			}
		}
	}
	return nil
}

func (s *store) method(id identifier) {
	if name := encryption(id); !slices.Contains(s.methods, name) {
		s.methods = append(s.methods, name)
	}
}

func (s *store) safeContents(content []byte, depth int) error {
	bad := malformed("PKCS#12 bag")
	der, err := normal(content)
	if err != nil {
		return err
	}
	in := cryptobyte.String(der)
	var list cryptobyte.String
	in.ReadASN1(&list, cbasn1.SEQUENCE)
	for !list.Empty() {
		var bag, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&bag, cbasn1.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&oid) || !bag.ReadASN1(&value, explicit(0)) {
			return bad
		}
		if len(oid) != len(oidBag)+1 || !oid[:len(oidBag)].Equal(oidBag) {
			continue
		}
		switch oid[len(oidBag)] {
		case 1, 2:
			s.keys++
			var shrouded cryptobyte.String
			if value.ReadASN1(&shrouded, cbasn1.SEQUENCE) && oid[len(oidBag)] == 2 {
				if id, err := readIdentifier(&shrouded); err == nil {
					s.method(id)
				}
			}
		case 3:
			if err := s.certificateBag(value); err != nil {
				return err
			}
		case 6:
			if depth == 4 {
				return bad
			}
			if err := s.safeContents(value, depth+1); err != nil {
				return err
			}
		}
		s.friendlyName(bag)
	}
	return nil
}

func (s *store) certificateBag(value cryptobyte.String) error {
	var seq, wrapped, der cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !value.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) || !seq.ReadASN1(&wrapped, explicit(0)) {
		return malformed("PKCS#12 certificate bag")
	}
	s.certificates++
	if !oid.Equal(oidX509Bag) || len(s.d.Nested) == maxCertificates {
		return nil
	}
	if !wrapped.ReadASN1(&der, cbasn1.OCTET_STRING) {
		return malformed("PKCS#12 certificate bag")
	}
	c, err := inspector{s.issuers, true}.certificate(der)
	if err == nil {
		s.d.Nested = append(s.d.Nested, c)
	}
	return err
}

func (s *store) friendlyName(bag cryptobyte.String) {
	var set cryptobyte.String
	if !bag.ReadASN1(&set, cbasn1.SET) {
		return
	}
	list, err := readAttributes(set)
	if err != nil {
		return
	}
	a, _ := single(list, oidFriendlyName)
	for _, v := range a.values {
		in, text := cryptobyte.String(v), cryptobyte.String(nil)
		if in.ReadASN1(&text, cbasn1.Tag(30)) && len(text)%2 == 0 && len(s.names) < maxList {
			u := make([]uint16, len(text)/2)
			for i := range u {
				u[i] = uint16(text[2*i])<<8 | uint16(text[2*i+1])
			}
			s.names = append(s.names, string(utf16.Decode(u)))
		}
	}
}
