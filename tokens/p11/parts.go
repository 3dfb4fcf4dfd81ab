package p11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// keyParts are the numbers of a key pair as C_CreateObject takes them (PKCS#11 v2.40 mechanisms, sections 2.1.2, 2.3.3 and 2.3.4, 2.52).
type keyParts struct{ public, private []*pkcs11.Attribute }

// partsOf reads PKCS#8.
func partsOf(pkcs8 []byte) (p keyParts, err error) {
	if key, err := gost.ParsePrivateKey(pkcs8); err == nil {
		defer key.Wipe()
		return gostParts(key)
	} else if !errors.Is(err, gost.ErrAlgorithm) {
		return p, fmt.Errorf("%w: %w", tokens.ErrUnsupported, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return p, fmt.Errorf("%w: %w", tokens.ErrUnsupported, err)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return rsaParts(k)
	case *ecdsa.PrivateKey:
		return ecParts(k)
	}
	return p, tokens.ErrUnsupported
}

func rsaParts(k *rsa.PrivateKey) (p keyParts, err error) {
	if len(k.Primes) != 2 {
		return p, fmt.Errorf("a key of %d primes: %w", len(k.Primes), tokens.ErrUnsupported)
	}
	k.Precompute()
	p.public = []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS, k.N.Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, exponent(k.E)),
	}
	p.private = append(p.public[:2:2],
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE_EXPONENT, k.D.Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_PRIME_1, k.Primes[0].Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_PRIME_2, k.Primes[1].Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_EXPONENT_1, k.Precomputed.Dp.Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_EXPONENT_2, k.Precomputed.Dq.Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_COEFFICIENT, k.Precomputed.Qinv.Bytes()))
	return p, nil
}

func exponent(e int) (octets []byte) {
	for ; e > 0; e >>= 8 {
		octets = append([]byte{byte(e)}, octets...)
	}
	return octets
}

func ecParts(k *ecdsa.PrivateKey) (p keyParts, err error) {
	params, err := curveOID(k.Curve)
	if err != nil {
		return p, err
	}
	uncompressed, err := k.PublicKey.Bytes()
	if err != nil {
		return p, err
	}
	point, err := asn1.Marshal(uncompressed)
	if err != nil {
		return p, err
	}
	d, err := k.Bytes()
	if err != nil {
		return p, err
	}
	return keyParts{
		public:  []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, point)},
		private: []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params), pkcs11.NewAttribute(pkcs11.CKA_VALUE, d)},
	}, nil
}

func curveOID(curve elliptic.Curve) ([]byte, error) {
	for _, s := range sizesOf(pkcs11.CKK_EC) {
		if s.curve == curve {
			return asn1.Marshal(s.oid)
		}
	}
	return nil, tokens.ErrUnsupported
}

// gostParts has both numbers little-endian, as the specification wants them.
func gostParts(k *gost.PrivateKey) (p keyParts, err error) {
	public := k.Public().(*gost.PublicKey)
	_, size, ok := sizeOf(tokens.GOSTAlgorithm(public))
	if !ok {
		return p, fmt.Errorf("a key of GOST R 34.10-2001: %w", tokens.ErrUnsupported)
	}
	curve, err := asn1.Marshal(public.Set().OID())
	if err != nil {
		return p, err
	}
	digest, err := asn1.Marshal(size.digest)
	if err != nil {
		return p, err
	}
	sets := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_GOSTR3410_PARAMS, curve), pkcs11.NewAttribute(pkcs11.CKA_GOSTR3411_PARAMS, digest)}
	return keyParts{
		public:  append(sets[:2:2], pkcs11.NewAttribute(pkcs11.CKA_VALUE, public.Bytes())),
		private: append(sets[:2:2], pkcs11.NewAttribute(pkcs11.CKA_VALUE, k.Bytes())),
	}, nil
}
