package signature

import (
	"encoding/asn1"
	"fmt"
	"math/bits"
	"time"
	"unicode/utf8"

	"github.com/perosign/pero/agent/names"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Extensions are what a request asks the authority to put into the certificate.
type Extensions struct {
	KeyUsage                 []string // RFC 5280 names: digitalSignature, nonRepudiation...
	ExtendedKeyUsage         []string // dotted OIDs
	CertificatePolicies      []string // dotted OIDs
	Email                    []string // subjectAltName
	DNS                      []string // subjectAltName
	SubjectSignTool          string   // order 795: the signer's tool, up to 200 characters
	IdentificationKind       *int     // order 795: 0 in person, 1 by a qualified certificate, 2 by a foreign passport's chip, 3 biometrics
	PrivateKeyUsageNotBefore time.Time
	PrivateKeyUsageNotAfter  time.Time
}

var (
	oidKeyUsage           = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidPrivateKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 16}
	oidSubjectAltName     = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints   = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidPolicies           = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidExtendedKeyUsage   = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidSubjectSignTool    = asn1.ObjectIdentifier{1, 2, 643, 100, 111}
	oidIdentificationKind = asn1.ObjectIdentifier{1, 2, 643, 100, 114}
)

// keyUsages is in the order of the bits (RFC 5280 section 4.2.1.3).
var keyUsages = []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign",
	"cRLSign", "encipherOnly", "decipherOnly"}

const (
	tagEmail = cbasn1.Tag(1) | 0x80 // GeneralName rfc822Name
	tagDNS   = cbasn1.Tag(2) | 0x80 // GeneralName dNSName
	maxList  = 32
	maxTool  = 200
)

// Check says whether the extensions can be requested. The error is an ErrExtension that names the member.
func (e Extensions) Check() error {
	_, err := e.list(false)
	return err
}

// list encodes the extensions. noSubject: subjectAltName stands for the name and is critical (RFC 5280 section 4.2.1.6).
func (e Extensions) list(noSubject bool) ([]extension, error) {
	var list []extension
	refuse := func(member, why string) ([]extension, error) {
		return nil, fmt.Errorf("%s: %s: %w", member, why, ErrExtension)
	}
	if max(len(e.ExtendedKeyUsage), len(e.CertificatePolicies), len(e.Email)+len(e.DNS)) > maxList {
		return nil, fmt.Errorf("more than %d values: %w", maxList, ErrExtension)
	}
	add := func(oid asn1.ObjectIdentifier, critical bool, f func(b *cryptobyte.Builder)) error {
		var b cryptobyte.Builder
		f(&b)
		der, err := b.Bytes()
		list = append(list, extension{oid, critical, der})
		return err
	}
	if len(e.KeyUsage) > 0 {
		usage, ok := encodeKeyUsage(e.KeyUsage)
		if !ok {
			return refuse("keyUsage", "unknown or repeated name")
		}
		list = append(list, extension{oidKeyUsage, true, usage})
	}
	if len(e.ExtendedKeyUsage) > 0 {
		oids, ok := parseOIDs(e.ExtendedKeyUsage)
		if !ok || add(oidExtendedKeyUsage, false, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, oid := range oids {
					b.AddASN1ObjectIdentifier(oid)
				}
			})
		}) != nil {
			return refuse("extendedKeyUsage", "not a list of object identifiers")
		}
	}
	if len(e.CertificatePolicies) > 0 {
		oids, ok := parseOIDs(e.CertificatePolicies)
		if !ok || add(oidPolicies, false, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, oid := range oids {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
				}
			})
		}) != nil {
			return refuse("certificatePolicies", "not a list of object identifiers")
		}
	}
	if len(e.Email)+len(e.DNS) > 0 {
		var all []byte
		for _, s := range e.Email {
			if !names.CheckEmail(s) {
				return refuse("subjectAltName", "not an e-mail address")
			}
			all = append(all, element(tagEmail, []byte(s))...)
		}
		for _, s := range e.DNS {
			if !names.CheckHost(s) {
				return refuse("subjectAltName", "not a host name")
			}
			all = append(all, element(tagDNS, []byte(s))...)
		}
		list = append(list, extension{oidSubjectAltName, noSubject, element(cbasn1.SEQUENCE, all)})
	}
	if s := e.SubjectSignTool; s != "" {
		if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxTool || names.Visible(s, "") != s {
			return refuse("subjectSignTool", "longer than 200 characters or not plain text")
		}
		list = append(list, extension{oidSubjectSignTool, false, element(cbasn1.UTF8String, []byte(s))})
	}
	if k := e.IdentificationKind; k != nil {
		if *k < 0 || *k > 3 {
			return refuse("identificationKind", "not 0 to 3")
		}
		list = append(list, extension{oidIdentificationKind, false, []byte{2, 1, byte(*k)}})
	}
	from, to := e.PrivateKeyUsageNotBefore, e.PrivateKeyUsageNotAfter
	if !from.IsZero() || !to.IsZero() {
		if !from.IsZero() && !to.IsZero() && !from.Before(to) {
			return refuse("privateKeyUsagePeriod", "ends before it begins")
		}
		if add(oidPrivateKeyUsage, false, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for i, t := range []time.Time{from, to} {
					if !t.IsZero() {
						b.AddASN1(cbasn1.Tag(i).ContextSpecific(), func(b *cryptobyte.Builder) {
							b.AddBytes([]byte(t.UTC().Format("20060102150405Z")))
						})
					}
				}
			})
		}) != nil || from.Year() > 9999 || to.Year() > 9999 {
			return refuse("privateKeyUsagePeriod", "out of range")
		}
	}
	return list, nil
}

func encodeKeyUsage(list []string) ([]byte, bool) {
	var set uint16 // bit 15 is the first named bit
	for _, name := range list {
		i := 0
		for i < len(keyUsages) && keyUsages[i] != name {
			i++
		}
		if i == len(keyUsages) || set&(0x8000>>i) != 0 {
			return nil, false
		}
		set |= 0x8000 >> i
	}
	octets := []byte{byte(set >> 8), byte(set)}
	if octets[1] == 0 {
		octets = octets[:1]
	}
	unused := bits.TrailingZeros8(octets[len(octets)-1])
	return element(cbasn1.BIT_STRING, append([]byte{byte(unused)}, octets...)), true
}

// parseOIDs reads dotted object identifiers; a value twice is refused.
func parseOIDs(list []string) ([]asn1.ObjectIdentifier, bool) {
	var out []asn1.ObjectIdentifier
	for _, s := range list {
		oid, ok := parseOID(s)
		if !ok {
			return nil, false
		}
		for _, o := range out {
			if o.Equal(oid) {
				return nil, false
			}
		}
		out = append(out, oid)
	}
	return out, true
}

func parseOID(s string) (asn1.ObjectIdentifier, bool) {
	if len(s) == 0 || len(s) > 128 {
		return nil, false
	}
	var oid asn1.ObjectIdentifier
	n, digits := 0, 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == '.' {
			if digits == 0 {
				return nil, false
			}
			oid = append(oid, n)
			n, digits = 0, 0
			continue
		}
		if s[i] < '0' || s[i] > '9' || digits > 0 && n == 0 { // no leading zeros
			return nil, false
		}
		if n = n*10 + int(s[i]-'0'); n > 1<<31-1 {
			return nil, false
		}
		digits++
	}
	return oid, len(oid) >= 2 && oid[0] <= 2 && (oid[0] == 2 || oid[1] < 40)
}

func marshalExtensions(list []extension) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range list {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.oid)
				if e.critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.value)
			})
		}
	})
	return b.BytesOrPanic()
}

// readRequested turns encoded extensions back into Extensions. Unknown ones are left out; known ones that are malformed are given back.
func readRequested(list []extension) (e Extensions, damaged []extension) {
	for _, x := range list {
		in := cryptobyte.String(x.value)
		ok := true
		switch {
		case x.oid.Equal(oidKeyUsage):
			e.KeyUsage, ok = readKeyUsage(in)
		case x.oid.Equal(oidExtendedKeyUsage):
			e.ExtendedKeyUsage, ok = readExtendedKeyUsage(in)
		case x.oid.Equal(oidPolicies):
			e.CertificatePolicies, ok = readPolicies(in)
		case x.oid.Equal(oidSubjectAltName):
			e.Email, e.DNS, ok = readAltNames(in)
		case x.oid.Equal(oidSubjectSignTool):
			e.SubjectSignTool, ok = readText(in)
		case x.oid.Equal(oidIdentificationKind):
			var n int
			if ok = in.ReadASN1Integer(&n) && in.Empty(); ok {
				e.IdentificationKind = &n
			}
		case x.oid.Equal(oidPrivateKeyUsage):
			e.PrivateKeyUsageNotBefore, e.PrivateKeyUsageNotAfter, ok = readUsagePeriod(in)
		}
		if !ok {
			damaged = append(damaged, x)
		}
	}
	return e, damaged
}

func readKeyUsage(in cryptobyte.String) ([]string, bool) {
	var bitString asn1.BitString
	if !in.ReadASN1BitString(&bitString) || !in.Empty() {
		return nil, false
	}
	var list []string
	for i, name := range keyUsages {
		if bitString.At(i) == 1 {
			list = append(list, name)
		}
	}
	return list, true
}

func readExtendedKeyUsage(in cryptobyte.String) (list []string, ok bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	for !seq.Empty() {
		var oid asn1.ObjectIdentifier
		if !seq.ReadASN1ObjectIdentifier(&oid) {
			return nil, false
		}
		list = append(list, oid.String())
	}
	return list, true
}

func readPolicies(in cryptobyte.String) (list []string, ok bool) {
	var seq, one cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	for !seq.Empty() {
		var oid asn1.ObjectIdentifier
		if !seq.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) {
			return nil, false
		}
		list = append(list, oid.String())
	}
	return list, true
}

func readAltNames(in cryptobyte.String) (email, dns []string, ok bool) {
	var seq, value cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, nil, false
	}
	for !seq.Empty() {
		if !seq.ReadAnyASN1(&value, &tag) {
			return nil, nil, false
		}
		switch tag {
		case tagEmail:
			email = append(email, string(value))
		case tagDNS:
			dns = append(dns, string(value))
		}
	}
	return email, dns, true
}

func readText(in cryptobyte.String) (string, bool) {
	var value cryptobyte.String
	if !in.ReadASN1(&value, cbasn1.UTF8String) || !in.Empty() || !utf8.Valid(value) {
		return "", false
	}
	return string(value), true
}

func readUsagePeriod(in cryptobyte.String) (from, to time.Time, ok bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return from, to, false
	}
	for i, t := range []*time.Time{&from, &to} {
		var value cryptobyte.String
		var has bool
		if !seq.ReadOptionalASN1(&value, &has, cbasn1.Tag(i).ContextSpecific()) {
			return from, to, false
		}
		if has {
			parsed, err := time.Parse("20060102150405Z", string(value))
			if err != nil {
				return from, to, false
			}
			*t = parsed
		}
	}
	return from, to, seq.Empty()
}
