package ca

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
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
	r, _, err := parse(csr)
	return r, err
}

// parse gives the key as acceptKey does, too.
func parse(csr []byte) (*x509.CertificateRequest, []byte, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	public, err := acceptKey(r)
	if err != nil {
		return nil, nil, err
	}
	switch _, err := signature.ParseCSR(csr); { // crypto/x509 cannot check GOST
	case errors.Is(err, signature.ErrMalformed):
		return nil, nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return r, public, nil
}

// Issue gives the certificate of a request, the same one when it is asked again.
func (a *Authority) Issue(ctx context.Context, r Request) (*x509.Certificate, error) {
	csr, public, err := parse(r.CSR)
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
		if e.Holder != r.Holder || !tokens.SamePublic(cert.RawSubjectPublicKeyInfo, public) {
			return nil, ErrConflict
		}
		return cert, nil
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	now := time.Now()
	t, err := a.citizenTemplate(r, csr, public, now)
	if err != nil {
		return nil, err
	}
	der, err := a.issuing.key.certificate(a.issuing.cert.RawSubject, t)
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	e := Entry{Serial: Serial(t.serial), RequestID: r.ID, Holder: r.Holder, DER: der, IssuedAt: now}
	if err := a.register.Add(ctx, e); err != nil { // remembered before it leaves
		return nil, err
	}
	return x509.ParseCertificate(der)
}
