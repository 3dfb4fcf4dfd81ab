package gost

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
)

// privateKeyInfo is PrivateKeyInfo of RFC 5208 and OneAsymmetricKey of RFC 5958. Attributes and the public key may follow; they are
// not looked at, since the public key is computed.
type privateKeyInfo struct {
	Version   int
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.RawValue
}

// ParsePrivateKey reads PKCS#8 (DER, version 0 or 1) of GOST R 34.10-2012 or 34.10-2001, with the private key in any of
// the forms met: the scalar's octets (RFC 9548), the same masked (R 50.1.112-2016 section 5), either in a further OCTET STRING, an
// INTEGER, and a SEQUENCE that begins with such an OCTET STRING. The octets stay the caller's, to be wiped.
//
// Errors: ErrAlgorithm for a key of another kind, ErrEncoding, ErrParameterSet, ErrScalar.
func ParsePrivateKey(pkcs8 []byte) (*PrivateKey, error) {
	var info privateKeyInfo
	if rest, err := asn1.Unmarshal(pkcs8, &info); err != nil || len(rest) > 0 || info.Version < 0 || info.Version > 1 {
		return nil, fmt.Errorf("%w: PKCS#8", ErrEncoding)
	}
	set, is2001, err := readAlgorithm(info.Algorithm)
	if err != nil {
		return nil, err
	}
	if !isOctetString(info.Key) {
		return nil, fmt.Errorf("%w: PKCS#8", ErrEncoding)
	}
	d, err := readScalar(set, info.Key.Bytes)
	if err != nil {
		return nil, err
	}
	defer clear(d)
	key, err := NewPrivateKey(set, d)
	if err != nil {
		return nil, err
	}
	key.public.is2001 = is2001
	return key, nil
}

// MarshalPKCS8 gives the key as PrivateKeyInfo (DER), version 0, with the scalar's octets as they are: the form of RFC 9548.
// The caller wipes it. A wiped key gives octets that nobody reads.
func (k *PrivateKey) MarshalPKCS8() []byte {
	der := must(asn1.Marshal(privateKeyInfo{
		Algorithm: k.public.algorithm(),
		Key:       asn1.RawValue{Tag: asn1.TagOctetString, Bytes: make([]byte, len(k.d))},
	}))
	copy(der[len(der)-len(k.d):], k.d) // the encoder never sees it: its buffers cannot be wiped
	return der
}

// readScalar gives the scalar, little-endian, of the contents of a privateKey.
func readScalar(set *ParameterSet, octets []byte) ([]byte, error) {
	n := set.Size()
	// The length goes first: a scalar may well begin with the octets of a tag.
	if len(octets)%n == 0 && len(octets) > 0 {
		return unmask(set, octets), nil
	}
	var element asn1.RawValue
	if rest, err := asn1.Unmarshal(octets, &element); err != nil || len(rest) > 0 || element.Class != asn1.ClassUniversal {
		return nil, fmt.Errorf("%w: private key of %d octets", ErrEncoding, len(octets))
	}
	if element.Tag == asn1.TagSequence && element.IsCompound {
		if _, err := asn1.Unmarshal(element.Bytes, &element); err != nil {
			return nil, fmt.Errorf("%w: private key", ErrEncoding)
		}
	}
	switch masked := element.Bytes; {
	case isOctetString(element) && len(masked)%n == 0 && len(masked) > 0:
		return unmask(set, masked), nil
	case element.Tag == asn1.TagInteger && len(masked) > 0 && masked[0] < 0x80:
		for len(masked) > n && masked[0] == 0 {
			masked = masked[1:]
		}
		if len(masked) > n {
			break
		}
		d := make([]byte, n)
		copy(d[n-len(masked):], masked)
		slices.Reverse(d)
		return d, nil
	}
	return nil, fmt.Errorf("%w: private key", ErrEncoding)
}

// unmask multiplies a masked key and its masks, each a little-endian number of set.Size() octets, modulo q
// (R 50.1.112-2016 section 5). A key alone comes out as it is, were it q or more.
func unmask(set *ParameterSet, octets []byte) []byte {
	if len(octets) == set.Size() {
		return bytes.Clone(octets)
	}
	return set.curve.arithmetic().product(octets)
}

func isOctetString(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && !v.IsCompound
}
