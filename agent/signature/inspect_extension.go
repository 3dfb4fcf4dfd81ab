package signature

import (
	"encoding/asn1"
	"encoding/hex"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCRLNumber       = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidCRLPoints       = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityInfo   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidIssuerSignTool  = asn1.ObjectIdentifier{1, 2, 643, 100, 112}
	oidAuthorityKeyID  = asn1.ObjectIdentifier{2, 5, 29, 35}
	extensionsInFields = []asn1.ObjectIdentifier{oidKeyUsage, oidPrivateKeyUsage, oidSubjectAltName, oidPolicies, oidExtendedKeyUsage,
		oidSubjectSignTool, oidIdentificationKind, oidBasicConstraints, oidSubjectKeyID, oidIssuerSignTool, oidCRLPoints, oidAuthorityInfo, oidAuthorityKeyID, oidQCStatements}
)

// extensions adds what the extensions say; those without words here by their object identifiers.
func (d *Description) extensions(list []extension) {
	e, damaged := readRequested(list)
	for _, x := range damaged {
		d.add("inspect.damaged", oidName(x.oid))
	}
	d.add("inspect.keyUsage", strings.Join(e.KeyUsage, ", "))
	d.add("inspect.extendedKeyUsage", oidNames(e.ExtendedKeyUsage))
	d.add("inspect.policies", oidNames(e.CertificatePolicies))
	d.add("inspect.altNames", strings.Join(append(append([]string{}, e.Email...), e.DNS...), ", "))
	d.add("inspect.subjectSignTool", e.SubjectSignTool)
	if k := e.IdentificationKind; k != nil && *k >= 0 && *k <= 3 {
		d.word("inspect.identificationKind", "inspect.identificationKind."+strconv.Itoa(*k))
	}
	d.time("inspect.privateKeyNotBefore", e.PrivateKeyUsageNotBefore)
	d.time("inspect.privateKeyNotAfter", e.PrivateKeyUsageNotAfter)
	var other []string
	for _, x := range list {
		in := cryptobyte.String(x.value)
		var seq cryptobyte.String
		switch {
		case x.oid.Equal(oidBasicConstraints):
			ca := false
			if in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.PeekASN1Tag(cbasn1.BOOLEAN) && seq.ReadASN1Boolean(&ca) && ca {
				d.word("inspect.authority", "inspect.yes")
			}
		case x.oid.Equal(oidSubjectKeyID):
			if in.ReadASN1(&seq, cbasn1.OCTET_STRING) {
				d.add("inspect.keyIdentifier", hex.EncodeToString(seq))
			}
		case x.oid.Equal(oidIssuerSignTool):
			if in.ReadASN1(&seq, cbasn1.SEQUENCE) {
				d.add("inspect.issuerSignTool", strings.Join(texts(seq), "; "))
			}
		case x.oid.Equal(oidCRLPoints):
			d.add("inspect.crlAddress", strings.Join(addresses(x.value), ", "))
		case x.oid.Equal(oidAuthorityInfo):
			d.add("inspect.authorityAddress", strings.Join(addresses(x.value), ", "))
		}
		if !contains(extensionsInFields, x.oid) {
			other = append(other, oidName(x.oid))
		}
	}
	d.add("inspect.otherExtensions", strings.Join(other, ", "))
}

func contains(list []asn1.ObjectIdentifier, oid asn1.ObjectIdentifier) bool {
	for _, o := range list {
		if o.Equal(oid) {
			return true
		}
	}
	return false
}

func texts(seq cryptobyte.String) (list []string) {
	for !seq.Empty() {
		var value cryptobyte.String
		if !seq.ReadASN1(&value, cbasn1.UTF8String) {
			return list
		}
		list = append(list, string(value))
	}
	return list
}

// addresses gives the URIs (GeneralName [6]) of CRLDistributionPoints or AuthorityInfoAccess, however deep.
func addresses(der cryptobyte.String) (list []string) {
	const uri = cbasn1.Tag(6) | 0x80
	var walk func(in cryptobyte.String, depth int)
	walk = func(in cryptobyte.String, depth int) {
		for !in.Empty() && depth < 8 && len(list) < maxList {
			var value cryptobyte.String
			var tag cbasn1.Tag
			if !in.ReadAnyASN1(&value, &tag) {
				return
			}
			if tag == uri {
				list = append(list, string(value))
			} else if tag&constructed != 0 {
				walk(value, depth+1)
			}
		}
	}
	walk(der, 0)
	return list
}
