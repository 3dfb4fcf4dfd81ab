package gost

import (
	"encoding/asn1"
	"errors"
	"fmt"
)

// ErrParameterSet says that no curve is known under an object identifier.
var ErrParameterSet = errors.New("unknown GOST R 34.10 parameter set")

// ParameterSet is one named set of curve numbers. Several names may stand for the same numbers (XchA, CryptoPro-A and
// tc26-256-B are one curve); a key keeps the name it came with, because verifiers compare the identifier's octets.
type ParameterSet struct {
	oid   asn1.ObjectIdentifier
	name  string
	curve *curve
}

// OID is the identifier of the set, the publicKeyParamSet of RFC 9215 section 4.
func (s *ParameterSet) OID() asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier(nil), s.oid...)
}

// Name is the usual short name, for people: "CryptoPro-A", "TC26-512-A".
func (s *ParameterSet) Name() string { return s.name }

// Size is the length of a coordinate, a scalar, half a signature and of the digest, in octets: 32 or 64.
func (s *ParameterSet) Size() int { return s.curve.size }

// ByOID finds the set of an identifier. The error is ErrParameterSet.
func ByOID(oid asn1.ObjectIdentifier) (*ParameterSet, error) {
	for _, s := range parameterSets {
		if s.oid.Equal(oid) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: %v", ErrParameterSet, oid)
}

// ParameterSets lists every set, 256-bit ones first.
func ParameterSets() []*ParameterSet { return append([]*ParameterSet(nil), parameterSets...) }

// CryptoProA is the set for new 256-bit keys: the one nearly all Russian certificates use and every token knows.
func CryptoProA() *ParameterSet { return parameterSets[1] }

// TC26A512 is the set for new 512-bit keys.
func TC26A512() *ParameterSet { return parameterSets[10] }

// The identifiers are those of RFC 4357 and RFC 9215; CryptoProA and TC26A512 count places here.
var parameterSets = []*ParameterSet{
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 0}, "Test-256", test256},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 1}, "CryptoPro-A", cryptoProA},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 2}, "CryptoPro-B", cryptoProB},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 3}, "CryptoPro-C", cryptoProC},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 0}, "CryptoPro-XchA", cryptoProA},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 1}, "CryptoPro-XchB", cryptoProC},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 1}, "TC26-256-A", tc26A256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 2}, "TC26-256-B", cryptoProA},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 3}, "TC26-256-C", cryptoProB},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 4}, "TC26-256-D", cryptoProC},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 1}, "TC26-512-A", tc26A512},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 2}, "TC26-512-B", tc26B512},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 3}, "TC26-512-C", tc26C512},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 0}, "Test-512", test512},
}
