package signature

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A signature has some five attributes; with validation data, a dozen.
const (
	maxAttributes = 64
	maxValues     = 64
)

// readAttributes reads the content of a SET OF Attribute. A type may appear once (RFC 5652 section 11: the attributes used here must not
// have several instances).
func readAttributes(in cryptobyte.String) ([]attribute, error) {
	var list []attribute
	for !in.Empty() {
		var one, set cryptobyte.String
		var a attribute
		if !in.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&a.oid) || !one.ReadASN1(&set, cbasn1.SET) || !one.Empty() {
			return nil, malformed("attribute")
		}
		for !set.Empty() {
			var v cryptobyte.String
			var tag cbasn1.Tag
			if !set.ReadAnyASN1Element(&v, &tag) || len(a.values) == maxValues {
				return nil, malformed("attribute " + a.oid.String())
			}
			a.values = append(a.values, v)
		}
		if _, twice := single(list, a.oid); twice || len(list) == maxAttributes {
			return nil, malformed("attribute " + a.oid.String() + " twice")
		}
		list = append(list, a)
	}
	return list, nil
}

// single finds an attribute.
func single(list []attribute, oid asn1.ObjectIdentifier) (attribute, bool) {
	for _, a := range list {
		if a.oid.Equal(oid) {
			return a, true
		}
	}
	return attribute{}, false
}
