package p11

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// The numbers that TC26 added to PKCS#11 for the 512-bit keys and for Streebog, the same with Aktiv, Aladdin and OpenSC. The 256-bit keys
// of GOST R 34.10-2012 have those that v2.40 gave GOST R 34.10-2001: CKA_GOSTR3411_PARAMS tells them apart.
const (
	tc26               = 0xD4321000
	ckkGOST512         = tc26 | 0x03
	ckmGOST512KeyPair  = tc26 | 0x05
	ckmGOST512         = tc26 | 0x06
	ckmGOSTStreebog256 = tc26 | 0x08 // CKM_GOSTR3410_WITH_GOSTR3411_12_256
	ckmGOSTStreebog512 = tc26 | 0x09
	ckmStreebog256     = tc26 | 0x12
	ckmStreebog512     = tc26 | 0x13
)

// digestOIDs tell by CKA_GOSTR3411_PARAMS what a GOST key is; that of GOST R 34.11-94 goes with the 2001 keys, which Pero does not sign
// with.
var digestOIDs = map[string]tokens.KeyAlgorithm{
	gost.OIDStreebog256:     tokens.GOST2012256,
	gost.OIDStreebog512:     tokens.GOST2012512,
	gost.OID341194CryptoPro: "",
}

// gostAlgorithm reads CKA_GOSTR3411_PARAMS (a DER OID); false when it says nothing, as with tokens that do not show it. A 512-bit key
// has one digest only.
func gostAlgorithm(keyType uint, params []byte) (tokens.KeyAlgorithm, bool) {
	if keyType == ckkGOST512 {
		return tokens.GOST2012512, true
	}
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return "", false
	}
	algorithm, known := digestOIDs[oid.String()]
	return algorithm, known && algorithm != tokens.GOST2012512
}

// gostPublic reads CKA_GOSTR3410_PARAMS (a DER OID), CKA_GOSTR3411_PARAMS and CKA_VALUE: X || Y, each little-endian, bare (Rutoken) or in a DER
// OCTET STRING (OpenSC). It gives the SubjectPublicKeyInfo under the parameter set that the token names; nil when that cannot be told.
func gostPublic(keyType uint, params, digest, value []byte) (tokens.KeyAlgorithm, []byte) {
	algorithm, told := gostAlgorithm(keyType, digest)
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 || !told {
		return algorithm, nil
	}
	set, err := gost.ByOID(oid)
	if err != nil || (set.Size() == 64) != (keyType == ckkGOST512) {
		return algorithm, nil
	}
	if len(value) != 2*set.Size() {
		var inside []byte
		if rest, err := asn1.Unmarshal(value, &inside); err != nil || len(rest) > 0 {
			return algorithm, nil
		}
		value = inside
	}
	public, err := gost.NewPublicKey(set, value)
	if err != nil {
		return algorithm, nil
	}
	if algorithm == "" {
		public = public.As2001()
	}
	return algorithm, public.Marshal()
}

// gostMechanism says how a GOST key signs: a digest in natural order by CKM_GOSTR3410, or the message by the mechanism that makes the
// digest too. That has no parameter, as in Aktiv's own programs and OpenSC's. Both are for one C_Sign; Rutoken has no C_SignUpdate.
func gostMechanism(alg tokens.Algorithm, data []byte) (*pkcs11.Mechanism, []byte, error) {
	bare, hashing := uint(pkcs11.CKM_GOSTR3410), uint(ckmGOSTStreebog256)
	switch alg.Hash {
	case tokens.Streebog256:
	case tokens.Streebog512:
		bare, hashing = ckmGOST512, ckmGOSTStreebog512
	default:
		return nil, nil, fmt.Errorf("sign: %w", tokens.ErrUnsupported)
	}
	switch {
	case alg.TokenHash && len(data) > tokens.MaxMessage:
		return nil, nil, fmt.Errorf("sign: a message of %d octets is too long for the token to hash", len(data))
	case alg.TokenHash:
		return pkcs11.NewMechanism(hashing, nil), data, nil
	case len(data) != alg.Hash.Size():
		return nil, nil, fmt.Errorf("sign: a digest of %d octets is not %v", len(data), alg.Hash)
	}
	return pkcs11.NewMechanism(bare, nil), data, nil
}

// checkGOST holds the token's signature against the public key.
func checkGOST(public *gost.PublicKey, alg tokens.Algorithm, data, signature []byte) error {
	n := public.Set().Size()
	if len(signature) != 2*n {
		return fmt.Errorf("%w: %d octets", tokens.ErrSignature, len(signature))
	}
	digest := data
	if alg.TokenHash {
		h := alg.Hash.New()
		h.Write(data)
		digest = h.Sum(nil)
	}
	if public.Verify(digest, signature) {
		return nil
	}
	turned := bytes.Clone(signature)
	slices.Reverse(turned)
	swapped := slices.Concat(signature[n:], signature[:n])
	little := slices.Concat(turned[n:], turned[:n])
	for _, other := range [][]byte{turned, swapped, little} {
		if public.Verify(digest, other) {
			return tokens.ErrByteOrder
		}
	}
	return tokens.ErrSignature
}
