package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// signer is a key of the authority. A subject's key may be of more kinds, see acceptKey.
type signer struct {
	crypto.Signer
	algorithm tokens.KeyAlgorithm
	scheme    tokens.Algorithm
	public    []byte // SubjectPublicKeyInfo, DER
}

func newKey(algorithm tokens.KeyAlgorithm) (signer, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case tokens.GOST2012256:
		key, err = gost.GenerateKey(gost.CryptoProA())
	case tokens.GOST2012512:
		key, err = gost.GenerateKey(gost.TC26A512())
	case tokens.ECP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("an authority has no keys of kind %q; gost2012-256, gost2012-512 and ec-p256 are", algorithm)
	}
	if err != nil {
		return signer{}, err
	}
	return signerOf(key)
}

// signerOf finds out of what kind a key is.
func signerOf(key any) (s signer, err error) {
	switch k := key.(type) {
	case *gost.PrivateKey:
		s = signer{Signer: k, scheme: tokens.Algorithm{Scheme: tokens.GOST}, public: k.Public().(*gost.PublicKey).Marshal()}
	case *ecdsa.PrivateKey:
		s = signer{Signer: k, scheme: tokens.Algorithm{Scheme: tokens.ECDSA}}
		s.public, err = x509.MarshalPKIXPublicKey(k.Public())
	default:
		err = fmt.Errorf("%T is no key of an authority", key)
	}
	if err == nil {
		s.algorithm, err = signature.KeyAlgorithmOf(s.public)
	}
	s.scheme.Hash = tokens.HashOf(s.algorithm)
	return s, err
}

// signed is what certificates, lists and answers have in common: what is signed, the name of the algorithm, the signature, and more.
func (k signer) signed(tbs []byte, more ...[]byte) ([]byte, error) {
	return signature.Signed(context.Background(), k.public, k.scheme, func(_ context.Context, digest []byte) ([]byte, error) {
		return k.Sign(rand.Reader, digest, k.scheme.Hash.Crypto())
	}, tbs, more...)
}

func readKey(path string) (signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return signer{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return signer{}, fmt.Errorf("%s: not PEM", path)
	}
	var key any
	key, err = gost.ParsePrivateKey(block.Bytes)
	if errors.Is(err, gost.ErrAlgorithm) {
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return signer{}, fmt.Errorf("%s: %w", path, err)
	}
	s, err := signerOf(key)
	if err != nil {
		return signer{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// writeKey keeps the key as PKCS#8, for its owner alone.
func writeKey(path string, key signer) error {
	var octets []byte
	var err error
	if k, ok := key.Signer.(*gost.PrivateKey); ok {
		octets = k.MarshalPKCS8()
	} else {
		octets, err = x509.MarshalPKCS8PrivateKey(key.Signer)
	}
	if err != nil {
		return err
	}
	return write(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: octets}), 0o600)
}

// testSets are the curves of the standard's worked examples: their numbers were never meant for keys.
var testSets = []string{"1.2.643.2.2.35.0", "1.2.643.7.1.2.1.2.0"}

// acceptKey gives a request's key (SubjectPublicKeyInfo, DER) as the certificate says it, or ErrKey when it may not be certified.
func acceptKey(r *x509.CertificateRequest) ([]byte, error) {
	switch k := r.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 8192 || k.E < 65537 {
			return nil, fmt.Errorf("%w: RSA of %d bits with exponent %d; 2048 to 8192 bits and 65537 are", ErrKey, n, k.E)
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return nil, fmt.Errorf("%w: curve %s; P-256, P-384 and P-521 are", ErrKey, k.Params().Name)
		}
	case nil: // unknown to crypto/x509
		return acceptGOST(r.RawSubjectPublicKeyInfo)
	default:
		return nil, fmt.Errorf("%w: %T", ErrKey, k)
	}
	return r.RawSubjectPublicKeyInfo, nil
}

// acceptGOST writes the key anew: what more, or else, a request has in its encoding would make a certificate that other programs cannot read.
func acceptGOST(public []byte) ([]byte, error) {
	key, err := gost.ParsePublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(public, &info); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	switch kind, set := info.Algorithm.Algorithm.String(), key.Set().OID().String(); {
	case key.Is2001():
		return nil, fmt.Errorf("%w: GOST R 34.10-2001; 34.10-2012 is", ErrKey)
	case kind != gost.OIDKey256 && kind != gost.OIDKey512:
		return nil, fmt.Errorf("%w: %s, a key of key agreement", ErrKey, kind)
	case slices.Contains(testSets, set):
		return nil, fmt.Errorf("%w: parameter set %s, which is for tests", ErrKey, set)
	}
	return key.Marshal(), nil
}
