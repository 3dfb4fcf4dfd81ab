package p11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// kind is a family of key pairs: one row for each CKK_ constant that Pero speaks. The GOST R 34.10-2012 pairs (CKK_GOSTR3410 0x30,
// CKK_GOSTR3410_512 0xD4321003) get their rows here.
type kind struct {
	keyType  uint // CKK_
	generate uint // CKM_ of the key pair
	sign     uint // CKM_ that shows the token can sign with it
	sizes    []size
}

type size struct {
	algorithm tokens.KeyAlgorithm
	bits      int
	curve     elliptic.Curve // EC
	oid       asn1.ObjectIdentifier
}

var kinds = []kind{
	{pkcs11.CKK_RSA, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, pkcs11.CKM_RSA_PKCS, []size{
		{algorithm: tokens.RSA2048, bits: 2048},
		{algorithm: tokens.RSA3072, bits: 3072},
		{algorithm: tokens.RSA4096, bits: 4096},
	}},
	// Curves by name, RFC 5480 section 2.1.1.1.
	{pkcs11.CKK_EC, pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKM_ECDSA, []size{
		{tokens.ECP256, 256, elliptic.P256(), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
		{tokens.ECP384, 384, elliptic.P384(), asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
		{tokens.ECP521, 521, elliptic.P521(), asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
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

// describe gives a public key's algorithm and its SubjectPublicKeyInfo in the one encoding by which keys are compared; "" for keys
// that Pero does not sign with.
func describe(public any) (tokens.KeyAlgorithm, []byte) {
	var algorithm tokens.KeyAlgorithm
	switch p := public.(type) {
	case *rsa.PublicKey:
		for _, s := range kinds[0].sizes {
			if p.N.BitLen() == s.bits {
				algorithm = s.algorithm
			}
		}
	case *ecdsa.PublicKey:
		for _, s := range kinds[1].sizes {
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
	for _, s := range kinds[1].sizes {
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
	for _, s := range kinds[1].sizes {
		if der, err := asn1.Marshal(s.oid); err == nil && bytes.Equal(der, params) {
			return s.algorithm
		}
	}
	return ""
}
