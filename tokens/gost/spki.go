package gost

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
)

// Why octets are no GOST key.
var (
	ErrAlgorithm = errors.New("not a GOST R 34.10 key")
	ErrEncoding  = errors.New("damaged GOST R 34.10 key")
)

type subjectPublicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// ParsePublicKey reads a SubjectPublicKeyInfo (DER) of GOST R 34.10-2012 (RFC 9215 section 4) or 34.10-2001 (RFC 4491
// section 2.3.2). It takes what certificates really hold: a digest's parameter set where the RFC wants none and none where it
// wants one, a third identifier (the cipher's), the identifier of key agreement in the place of the signature's. The point is checked.
//
// Errors: ErrAlgorithm for a key of another kind, ErrEncoding, ErrParameterSet, ErrPoint.
func ParsePublicKey(spki []byte) (*PublicKey, error) {
	var info subjectPublicKeyInfo
	if rest, err := asn1.Unmarshal(spki, &info); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: SubjectPublicKeyInfo", ErrEncoding)
	}
	set, is2001, err := readAlgorithm(info.Algorithm)
	if err != nil {
		return nil, err
	}
	var xy []byte
	if rest, err := asn1.Unmarshal(info.Key.Bytes, &xy); err != nil || len(rest) > 0 || info.Key.BitLength%8 != 0 {
		return nil, fmt.Errorf("%w: public key", ErrEncoding)
	}
	key, err := NewPublicKey(set, xy)
	if err != nil {
		return nil, err
	}
	key.is2001 = is2001
	return key, nil
}

// Is2001 says that the key came as one of GOST R 34.10-2001: its digest is then GOST R 34.11-94, not Streebog.
func (k *PublicKey) Is2001() bool { return k.is2001 }

// As2001 is the point as a key of GOST R 34.10-2001, for who learns that elsewhere than from a SubjectPublicKeyInfo. The set is a 256-bit one.
func (k *PublicKey) As2001() *PublicKey { return &PublicKey{set: k.set, xy: k.xy, is2001: true} }

// Marshal gives the SubjectPublicKeyInfo (DER) as RFC 9215 section 4.2 wants it written, under the parameter set the key came with.
func (k *PublicKey) Marshal() []byte {
	xy := must(asn1.Marshal(k.Bytes()))
	return must(asn1.Marshal(subjectPublicKeyInfo{
		Algorithm: k.algorithm(),
		Key:       asn1.BitString{Bytes: xy, BitLength: 8 * len(xy)},
	}))
}

// algorithm is the AlgorithmIdentifier of the key. The digest is named with the 256-bit sets older than RFC 9215 and with no other.
func (k *PublicKey) algorithm() pkix.AlgorithmIdentifier {
	set := k.Set().OID()
	kind, parameters := OIDKey256, []asn1.ObjectIdentifier{set}
	switch named := set.String(); {
	case k.is2001:
		kind, parameters = OIDKey2001, append(parameters, Identifier(OID341194CryptoPro))
	case k.Set().Size() == 64:
		kind = OIDKey512
	case strings.HasPrefix(named, "1.2.643.2.2.35.") || strings.HasPrefix(named, "1.2.643.2.2.36."):
		parameters = append(parameters, Identifier(OIDStreebog256))
	}
	return pkix.AlgorithmIdentifier{
		Algorithm:  Identifier(kind),
		Parameters: asn1.RawValue{FullBytes: must(asn1.Marshal(parameters))},
	}
}

// readAlgorithm understands the AlgorithmIdentifier of a public or private key.
func readAlgorithm(algorithm pkix.AlgorithmIdentifier) (set *ParameterSet, is2001 bool, err error) {
	size := 32
	switch algorithm.Algorithm.String() {
	case OIDKey256, OIDAgreement256:
	case OIDKey512, OIDAgreement512:
		size = 64
	case OIDKey2001, OIDAgreement2001:
		is2001 = true
	default:
		return nil, false, fmt.Errorf("%w: %v", ErrAlgorithm, algorithm.Algorithm)
	}
	var parameters []asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(algorithm.Parameters.FullBytes, &parameters); err != nil || len(rest) > 0 || len(parameters) == 0 {
		return nil, false, fmt.Errorf("%w: parameters", ErrEncoding)
	}
	if set, err = ByOID(parameters[0]); err != nil {
		return nil, false, err
	}
	if set.Size() != size {
		return nil, false, fmt.Errorf("%w: %s for a key of %d octets", ErrParameterSet, set.Name(), size)
	}
	return set, is2001, nil
}

// must is for encodings of values that cannot fail.
func must(der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return der
}
