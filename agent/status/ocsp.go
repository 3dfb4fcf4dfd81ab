package status

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
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
	return r, signer, nil
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
