package status

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// ocspResponse is OCSPResponse, basicResponse what stands in it (RFC 6960 section 4.2.1).
type ocspResponse struct {
	Status asn1.Enumerated
	Inside struct {
		Type  asn1.ObjectIdentifier
		Basic []byte
	} `asn1:"explicit,tag:0,optional"`
}

type basicResponse struct {
	Data         asn1.RawValue
	Algorithm    asn1.RawValue
	Signature    asn1.BitString
	Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

// responseData is ResponseData as far as the names of the certificates that it answers about.
type responseData struct {
	Version    int `asn1:"explicit,tag:0,default:0,optional"`
	Responder  asn1.RawValue
	ProducedAt time.Time `asn1:"generalized"`
	Answers    []struct {
		ID struct {
			Hash                  asn1.RawValue
			IssuerName, IssuerKey []byte
			Serial                *big.Int
		}
		Status asn1.RawValue
	}
}

// parseOCSP gives the answer about c and who signed it: the responder, when the answer carries its certificate, else the issuer. The library checks
// the embedded certificate at once and so cannot read an answer of a key it does not know: it is given the answer without it.
func parseOCSP(octets []byte, c, issuer *x509.Certificate) (*ocsp.Response, *x509.Certificate, error) {
	var whole ocspResponse
	var basic basicResponse
	if err := decode(octets, &whole); err != nil {
		return nil, nil, err
	}
	if len(whole.Inside.Basic) == 0 { // an error in the place of an answer, which the library names
		_, err := ocsp.ParseResponseForCert(octets, c, nil)
		return nil, nil, err
	}
	if err := decode(whole.Inside.Basic, &basic); err != nil {
		return nil, nil, err
	}
	signer := issuer
	if len(basic.Certificates) > 0 {
		var err error
		if signer, err = x509.ParseCertificate(basic.Certificates[0].FullBytes); err != nil {
			return nil, nil, fmt.Errorf("read the responder's certificate: %w", err)
		}
	}
	basic.Certificates = nil
	var err error
	if whole.Inside.Basic, err = asn1.Marshal(basic); err != nil {
		return nil, nil, err
	}
	bare, err := asn1.Marshal(whole)
	if err != nil {
		return nil, nil, err
	}
	r, err := ocsp.ParseResponseForCert(bare, c, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := holds(r, whole.Inside.Basic, signer); err != nil {
		return nil, nil, fmt.Errorf("bad OCSP signature: %w", err)
	}
	return r, signer, about(r, c, issuer)
}

// about holds the issuer that an answer names against the certificate's (RFC 6960 section 3.2): the library compares the serial number alone,
// and one responder may answer for several authorities, whose numbers repeat.
func about(r *ocsp.Response, c, issuer *x509.Certificate) error {
	var data responseData
	var key struct {
		Algorithm asn1.RawValue
		Bits      asn1.BitString
	}
	if err := errors.Join(decode(r.TBSResponseData, &data), decode(issuer.RawSubjectPublicKeyInfo, &key)); err != nil {
		return err
	}
	sum := func(octets []byte) []byte {
		h := r.IssuerHash.New()
		h.Write(octets)
		return h.Sum(nil)
	}
	for _, one := range data.Answers {
		if one.ID.Serial.Cmp(c.SerialNumber) != 0 {
			continue
		}
		if !bytes.Equal(one.ID.IssuerName, sum(c.RawIssuer)) || !bytes.Equal(one.ID.IssuerKey, sum(key.Bits.Bytes)) {
			break
		}
		return nil // the first of this number is the one that was read
	}
	return errors.New("the answer is about a certificate of another issuer")
}

func decode(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows the OCSP answer")
	}
	return err
}

// mayAnswer holds who signed an answer against RFC 6960 section 4.2.2.2: the issuer itself, or whom it has delegated.
func mayAnswer(signer, issuer *x509.Certificate, now time.Time) error {
	if signer.Equal(issuer) {
		return nil
	}
	if err := holds(signer, signer.Raw, issuer); err != nil {
		return fmt.Errorf("bad OCSP signature: the responder is not of the issuer: %w", err)
	}
	switch {
	case !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("the answer is signed by a certificate that may not sign answers")
	case now.Before(signer.NotBefore) || now.After(signer.NotAfter):
		return errors.New("the responder's certificate is out of date")
	}
	return nil
}
