package ca

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Request asks for a certificate.
type Request struct {
	ID             string // asking twice with one ID gives one certificate
	Holder         string // remembered in the register
	CSR            []byte // PKCS#10, DER
	Subject        []byte // the approved name, DER: it stands in the certificate whatever the CSR says
	Email          string // subjectAltName
	Identification int    // InPerson or ByCertificate
}

// Parse reads a PKCS#10 and checks its proof of possession and its key.
func Parse(csr []byte) (*x509.CertificateRequest, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	if err := acceptKey(r.PublicKey); err != nil {
		return nil, err
	}
	switch r.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
	default:
		return nil, fmt.Errorf("%w: signed with %v", ErrProof, r.SignatureAlgorithm)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return r, nil
}

// Issue gives the certificate of a request, the same one when it is asked again.
func (a *Authority) Issue(ctx context.Context, r Request) (*x509.Certificate, error) {
	csr, err := Parse(r.CSR)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e, err := a.register.ByRequest(ctx, r.ID); {
	case err == nil:
		cert, err := x509.ParseCertificate(e.DER)
		if err != nil {
			return nil, fmt.Errorf("register: %w", err)
		}
		if e.Holder != r.Holder || !bytes.Equal(cert.RawSubjectPublicKeyInfo, csr.RawSubjectPublicKeyInfo) {
			return nil, ErrConflict
		}
		return cert, nil
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	now := time.Now()
	t, err := citizenTemplate(r, csr, a.life, now)
	if err != nil {
		return nil, err
	}
	t.OCSPServer = []string{a.address("ocsp")}
	t.IssuingCertificateURL = []string{a.address("issuing.cer")}
	t.CRLDistributionPoints = []string{a.address("issuing.crl")}
	der, err := x509.CreateCertificate(rand.Reader, t, a.issuing.cert, csr.PublicKey, a.issuing.key)
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	e := Entry{Serial: Serial(t.SerialNumber), RequestID: r.ID, Holder: r.Holder, DER: der, IssuedAt: now}
	if err := a.register.Add(ctx, e); err != nil { // remembered before it leaves
		return nil, err
	}
	return x509.ParseCertificate(der)
}
