package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/http"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
)

// signedBy checks that cms is one signature over the request, made by the key of the old certificate. Whether the request stands
// inside the CMS or beside it, it must be this one.
func signedBy(cms, csr []byte, old *x509.Certificate) error {
	report, err := signature.VerifyCAdES(bytes.NewReader(cms), func(h tokens.Hash) ([]byte, error) {
		sum := h.New()
		sum.Write(csr)
		return sum.Sum(nil), nil
	})
	switch {
	case err != nil:
	case len(report.Signers) != 1:
		err = errors.New("not exactly one signer")
	case report.Signers[0].Err != nil:
		err = report.Signers[0].Err
	case report.Signers[0].MediaType != "application/pkcs10": // Pero gives it to renewals only, not to what a site calls a document
		err = errors.New("signed as a document, not as a renewal")
	case !bytes.Equal(report.Signers[0].Certificate, old.Raw):
		err = errors.New("signed with another certificate")
	default:
		return nil
	}
	return &problem{Status: http.StatusUnprocessableEntity, Code: renewalUnsigned, Err: err}
}
