package ca

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	listLife  = 24 * time.Hour // nextUpdate of a CRL
	listFresh = time.Hour      // a CRL is made anew after this
)

type revocationList struct {
	der  []byte
	made time.Time
}

// Revoke ends a certificate for a reason of RFC 5280. The next CRL and OCSP answers say so.
func (a *Authority) Revoke(ctx context.Context, serial string, reason int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.register.Revoke(ctx, serial, time.Now(), reason); err != nil {
		return err
	}
	a.list = revocationList{}
	return nil
}

// CRL gives the current list of revoked certificates, DER.
func (a *Authority) CRL(ctx context.Context) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.list.der != nil && now.Sub(a.list.made) < listFresh {
		return a.list.der, nil
	}
	entries, err := a.register.Revoked(ctx)
	if err != nil {
		return nil, err
	}
	t := listTemplate(now)
	for _, e := range entries {
		serial, ok := new(big.Int).SetString(e.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("register: serial %q", e.Serial)
		}
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: e.RevokedAt.UTC(), ReasonCode: e.Reason})
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, a.issuing.cert, a.issuing.key)
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	a.list = revocationList{der, now}
	return der, nil
}

// RootCRL is the root's list: the issuing certificate is never revoked in a demonstration.
func (a *Authority) RootCRL() ([]byte, error) {
	return x509.CreateRevocationList(rand.Reader, listTemplate(time.Now()), a.root.cert, a.root.key)
}

// listTemplate numbers a list by its time, which never repeats: a list lives longer than a microsecond.
func listTemplate(now time.Time) *x509.RevocationList {
	return &x509.RevocationList{Number: big.NewInt(now.UnixMicro()), ThisUpdate: now.Add(-time.Minute).UTC(), NextUpdate: now.Add(listLife).UTC()}
}

// OCSP answers a request of RFC 6960 about a certificate of the issuing key, signed by a delegated responder. No nonce
// (as RFC 5019 allows), and no nextUpdate: newer information is there all the time (section 4.2.2.1), as it comes from the register itself.
func (a *Authority) OCSP(ctx context.Context, request []byte) ([]byte, error) {
	r, err := ocsp.ParseRequest(request)
	if err != nil {
		return ocsp.MalformedRequestErrorResponse, nil
	}
	if !a.ours(r) {
		return ocsp.UnauthorizedErrorResponse, nil
	}
	now := time.Now()
	answer := ocsp.Response{SerialNumber: r.SerialNumber, IssuerHash: r.HashAlgorithm, ThisUpdate: now.UTC(), Status: ocsp.Good}
	switch e, err := a.register.BySerial(ctx, Serial(r.SerialNumber)); {
	case errors.Is(err, ErrNotFound):
		answer.Status = ocsp.Unknown
	case err != nil:
		return nil, err
	case !e.RevokedAt.IsZero():
		answer.Status, answer.RevokedAt, answer.RevocationReason = ocsp.Revoked, e.RevokedAt.UTC(), e.Reason
	}
	responder, err := a.currentResponder(now)
	if err != nil {
		return nil, err
	}
	answer.Certificate = responder.cert
	return ocsp.CreateResponse(a.issuing.cert, responder.cert, answer, responder.key)
}

// ours says whether the request is about the issuing key: both hashes are compared.
func (a *Authority) ours(r *ocsp.Request) bool {
	if !r.HashAlgorithm.Available() {
		return false
	}
	own, err := ocsp.CreateRequest(a.issuing.cert, a.issuing.cert, &ocsp.RequestOptions{Hash: r.HashAlgorithm})
	if err != nil {
		return false
	}
	want, err := ocsp.ParseRequest(own)
	return err == nil && string(want.IssuerKeyHash) == string(r.IssuerKeyHash) && string(want.IssuerNameHash) == string(r.IssuerNameHash)
}

// currentResponder has a key of its own in memory, made anew when half its life is over.
func (a *Authority) currentResponder(now time.Time) (pair, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.responder.cert; c != nil && now.Before(c.NotAfter.Add(-responderLife/2)) {
		return a.responder, nil
	}
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, responderTemplate(now), a.issuing.cert, key.Public(), a.issuing.key)
	if err != nil {
		return pair{}, fmt.Errorf("OCSP responder: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, err
	}
	a.responder = pair{cert, key}
	return a.responder, nil
}
