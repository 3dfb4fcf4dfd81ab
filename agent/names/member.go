package names

import "encoding/asn1"

// The ASN.1 string types that names use.
type kind int

const (
	text      kind = iota // UTF8String
	printable             // PrintableString
	numeric               // NumericString
	ia5                   // IA5String
)

// member is one row of the protocol's table of subject members.
type member struct {
	name  string
	label string // the short form in which certificate programs show it
	oid   asn1.ObjectIdentifier
	kind  kind
	max   int // characters; X.520 Annex C upper bounds, RFC 5280 appendix A for e-mail
}

// members is in the canonical order, that of the protocol.
var members = []member{
	{"commonName", "CN", asn1.ObjectIdentifier{2, 5, 4, 3}, text, 64},
	{"surname", "SN", asn1.ObjectIdentifier{2, 5, 4, 4}, text, 64},
	{"givenName", "G", asn1.ObjectIdentifier{2, 5, 4, 42}, text, 64},
	{"title", "T", asn1.ObjectIdentifier{2, 5, 4, 12}, text, 64},
	{"organization", "O", asn1.ObjectIdentifier{2, 5, 4, 10}, text, 64},
	{"organizationalUnit", "OU", asn1.ObjectIdentifier{2, 5, 4, 11}, text, 64},
	{"country", "C", asn1.ObjectIdentifier{2, 5, 4, 6}, printable, 2},
	{"stateOrProvince", "ST", asn1.ObjectIdentifier{2, 5, 4, 8}, text, 128},
	{"locality", "L", asn1.ObjectIdentifier{2, 5, 4, 7}, text, 128},
	{"street", "STREET", asn1.ObjectIdentifier{2, 5, 4, 9}, text, 128},
	{"email", "E", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, ia5, 255},
	{"inn", "INN", asn1.ObjectIdentifier{1, 2, 643, 3, 131, 1, 1}, numeric, 12},
	{"innLe", "INNLE", asn1.ObjectIdentifier{1, 2, 643, 100, 4}, numeric, 10},
	{"snils", "SNILS", asn1.ObjectIdentifier{1, 2, 643, 100, 3}, numeric, 11},
	{"ogrn", "OGRN", asn1.ObjectIdentifier{1, 2, 643, 100, 1}, numeric, 13},
	{"ogrnip", "OGRNIP", asn1.ObjectIdentifier{1, 2, 643, 100, 5}, numeric, 15},
}

// Members lists the protocol's members in their canonical order.
func Members() []string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.name
	}
	return list
}

func byName(name string) (member, bool) {
	for _, m := range members {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

func byOID(oid asn1.ObjectIdentifier) (member, bool) {
	for _, m := range members {
		if m.oid.Equal(oid) {
			return m, true
		}
	}
	return member{}, false
}
