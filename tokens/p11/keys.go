package p11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// kind is a family of key pairs: one row for each CKK_ constant that Pero speaks.
type kind struct {
	keyType  uint   // CKK_
	generate uint   // CKM_ of the key pair
	sign     uint   // CKM_ that shows the token can sign with it
	shows    []uint // CKM_ of which one must be there too; nil: none
	sizes    []size
}

type size struct {
	algorithm tokens.KeyAlgorithm
	bits      int
	curve     elliptic.Curve        // EC
	oid       asn1.ObjectIdentifier // of the curve; GOST: of the one for new keys
	digest    asn1.ObjectIdentifier // GOST: CKA_GOSTR3411_PARAMS
}

// kinds are in the order in which a token's algorithms are listed.
var kinds = []kind{
	// What signs by GOST R 34.10-2001 has the same two mechanisms; only one that knows Streebog makes keys of 2012.
	{pkcs11.CKK_GOSTR3410, pkcs11.CKM_GOSTR3410_KEY_PAIR_GEN, pkcs11.CKM_GOSTR3410, []uint{ckmStreebog256, ckmGOSTStreebog256, ckmGOST512}, []size{
		{algorithm: tokens.GOST2012256, bits: 256, oid: gost.CryptoProA().OID(), digest: gost.Identifier(gost.OIDStreebog256)},
	}},
	{ckkGOST512, ckmGOST512KeyPair, ckmGOST512, nil, []size{
		{algorithm: tokens.GOST2012512, bits: 512, oid: gost.TC26A512().OID(), digest: gost.Identifier(gost.OIDStreebog512)},
	}},
	{pkcs11.CKK_RSA, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, pkcs11.CKM_RSA_PKCS, nil, []size{
		{algorithm: tokens.RSA2048, bits: 2048},
		{algorithm: tokens.RSA3072, bits: 3072},
		{algorithm: tokens.RSA4096, bits: 4096},
	}},
	// Curves by name, RFC 5480 section 2.1.1.1.
	{pkcs11.CKK_EC, pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKM_ECDSA, nil, []size{
		{algorithm: tokens.ECP256, bits: 256, curve: elliptic.P256(), oid: asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
		{algorithm: tokens.ECP384, bits: 384, curve: elliptic.P384(), oid: asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
		{algorithm: tokens.ECP521, bits: 521, curve: elliptic.P521(), oid: asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
	}},
}

// sizeOf finds the row of an algorithm.
func sizeOf(a tokens.KeyAlgorithm) (kind, size, bool) {
	for _, k := range kinds {
		for _, s := range k.sizes {
			if s.algorithm == a {
				return k, s, true
			}
		}
	}
	return kind{}, size{}, false
}

// sizesOf gives the rows of a CKK_ constant.
func sizesOf(keyType uint) []size {
	for _, k := range kinds {
		if k.keyType == keyType {
			return k.sizes
		}
	}
	return nil
}

// belongs says whether a key of an algorithm ("" is GOST R 34.10-2001) can have a CKK_ constant.
func belongs(algorithm tokens.KeyAlgorithm, keyType uint) bool {
	if algorithm == "" {
		return keyType == pkcs11.CKK_GOSTR3410
	}
	return slices.ContainsFunc(sizesOf(keyType), func(s size) bool { return s.algorithm == algorithm })
}

// describeSPKI gives the algorithm of a SubjectPublicKeyInfo, and the octets by which Pero goes on to know the key; nil for keys of no
// kind of ours. GOST R 34.10-2001 is one that is known and not signed with.
func describeSPKI(spki []byte) (tokens.KeyAlgorithm, []byte) {
	if public, err := gost.ParsePublicKey(spki); err == nil {
		return tokens.GOSTAlgorithm(public), spki
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return "", nil
	}
	return describe(public)
}

// describe gives an RSA or EC public key's algorithm and its SubjectPublicKeyInfo in the one encoding by which keys are compared; "" for keys
// that Pero does not sign with.
func describe(public any) (tokens.KeyAlgorithm, []byte) {
	var algorithm tokens.KeyAlgorithm
	switch p := public.(type) {
	case *rsa.PublicKey:
		for _, s := range sizesOf(pkcs11.CKK_RSA) {
			if p.N.BitLen() == s.bits {
				algorithm = s.algorithm
			}
		}
	case *ecdsa.PublicKey:
		for _, s := range sizesOf(pkcs11.CKK_EC) {
			if p.Curve == s.curve {
				algorithm = s.algorithm
			}
		}
	}
	if algorithm == "" {
		return "", nil
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", nil
	}
	return algorithm, spki
}

// rsaPublic reads CKA_MODULUS and CKA_PUBLIC_EXPONENT, big-endian; nil when they are no RSA key.
func rsaPublic(modulus, exponent []byte) any {
	e := new(big.Int).SetBytes(exponent)
	n := new(big.Int).SetBytes(modulus)
	if n.BitLen() < 1024 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		return nil
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}

// ecPublic reads CKA_EC_PARAMS (a DER OID) and CKA_EC_POINT: a DER OCTET STRING by the specification (v2.40 mechanisms, section 2.3.3),
// the bare point or a DER BIT STRING from some modules.
func ecPublic(params, point []byte) any {
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(params, &oid); err != nil {
		return nil
	}
	for _, s := range sizesOf(pkcs11.CKK_EC) {
		if !s.oid.Equal(oid) {
			continue
		}
		forms := [][]byte{point}
		var octets []byte
		if rest, err := asn1.Unmarshal(point, &octets); err == nil && len(rest) == 0 {
			forms = append(forms, octets)
		}
		var bits asn1.BitString
		if rest, err := asn1.Unmarshal(point, &bits); err == nil && len(rest) == 0 {
			forms = append(forms, bits.Bytes)
		}
		for _, form := range forms {
			if public, err := ecdsa.ParseUncompressedPublicKey(s.curve, form); err == nil {
				return public
			}
		}
	}
	return nil
}

// curveOf gives the algorithm of CKA_EC_PARAMS, for private keys whose public part is not told.
func curveOf(params []byte) tokens.KeyAlgorithm {
	for _, s := range sizesOf(pkcs11.CKK_EC) {
		if der, err := asn1.Marshal(s.oid); err == nil && bytes.Equal(der, params) {
			return s.algorithm
		}
	}
	return ""
}
