package signature

import (
	"context"
	"fmt"

	"github.com/perosign/pero/tokens"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// What certificates, requests, CRLs and OCSP answers have in common: SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING } (RFC 5280 section 4.1.1).

// AlgorithmIdentifier names alg as that structure does, in DER: for the places inside tbs that repeat it. ErrAlgorithm for what is not signed here.
func AlgorithmIdentifier(alg tokens.Algorithm) ([]byte, error) {
	a, err := lookup(alg)
	if err != nil {
		return nil, err
	}
	return a.x509.marshal(), nil
}

// Signed makes the structure around tbs (DER), signed by sign under alg, and proves it with public (SubjectPublicKeyInfo, DER) before it is
// returned. after are elements (DER) that follow the signature, such as the certificates of an OCSP answer.
func Signed(ctx context.Context, public []byte, alg tokens.Algorithm, sign Sign, tbs []byte, after ...[]byte) ([]byte, error) {
	a, err := lookup(alg)
	if err != nil {
		return nil, err
	}
	p, err := parsePublic(public)
	if err != nil {
		return nil, err
	}
	sig, err := Key{Algorithm: alg, Sign: sign}.signed(ctx, p, a, tbs)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		a.x509.add(b)
		b.AddASN1BitString(sig)
		for _, more := range after {
			b.AddBytes(more)
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode the signed structure: %w", err)
	}
	return der, nil
}

// CheckSigned says whether the signature of such a structure (DER) holds under public (SubjectPublicKeyInfo, DER): nil when it does, ErrInvalid
// when not, ErrAlgorithm for a weak or unknown algorithm. What the structure says is not looked at.
func CheckSigned(public, der []byte) error {
	in := cryptobyte.String(der)
	var whole, tbs cryptobyte.String
	var sig []byte
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return malformed("signed structure")
	}
	id, err := readIdentifier(&whole)
	if err != nil {
		return err
	}
	if !whole.ReadASN1BitStringAsBytes(&sig) {
		return malformed("signature")
	}
	return checkSigned(public, id, tbs, sig)
}

func checkSigned(public []byte, id identifier, tbs, sig []byte) error {
	a, err := bySignatureID(id, nil)
	if err != nil {
		return err
	}
	p, err := parsePublic(public)
	if err != nil {
		return err
	}
	h := a.digest.new()
	h.Write(tbs)
	return check(p, a, h.Sum(nil), sig)
}
