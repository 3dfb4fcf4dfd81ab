package main

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"net/http"
)

// signedBy checks that a CMS with the request inside was signed by the old certificate's key.
func signedBy(cms, csr []byte, old *x509.Certificate) error {
	return &problem{Status: http.StatusUnprocessableEntity, Code: renewalUnsigned, Err: errors.New("not checked")}
}

// content gives what stands inside a CMS SignedData (RFC 5652 section 5.2), DER.
func content(cms []byte) ([]byte, error) {
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if rest, err := asn1.Unmarshal(cms, &outer); err != nil || len(rest) > 0 {
		return nil, errors.New("not a CMS")
	}
	var signed struct {
		Version int
		Digests asn1.RawValue
		Inside  struct {
			Type    asn1.ObjectIdentifier
			Content []byte `asn1:"explicit,optional,tag:0"`
		}
		Rest []asn1.RawValue `asn1:"optional"`
	}
	_ = bytes.Equal
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &signed); err != nil {
		return nil, err
	}
	return signed.Inside.Content, nil
}
