// Package status tells whether a certificate is good now: its dates, a chain to an anchor of the configuration, and revocation by
// OCSP (RFC 6960) first, CRL (RFC 5280) second. Addresses come from certificates that lead to an anchor, never from a page.
package status

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// The statuses of the protocol.
const (
	Valid       = "valid"
	Expiring    = "expiring" // valid, but for 30 days at most
	Expired     = "expired"
	NotYetValid = "not_yet_valid"
	Revoked     = "revoked"
	Untrusted   = "untrusted" // no chain to an anchor
	Unknown     = "unknown"   // good as far as its dates and chain go, but revocation could not be asked
)

// Sources of an answer about revocation.
const (
	OCSP = "ocsp"
	CRL  = "crl"
)

const warning = 30 // days

// Config says whom to trust and what may be fetched.
type Config struct {
	Anchors [][]byte // trusted certificates, DER
	Hosts   []string // host:port that may be asked although they are on this machine or in a private network
	Cache   string   // folder for answers until they end; "" keeps none
}

// Result is the status of one certificate.
type Result struct {
	Status    string
	Days      int       // whole days left, negative when they are over
	RevokedAt time.Time // of a revoked certificate
	Reason    string    // of a revoked certificate, as RFC 5280 section 5.3.1 names it
	Source    string    // OCSP, CRL or "" when revocation was not asked or not answered
	CheckedAt time.Time // when the source answered; now without one
	Chain     [][]byte  // leaf first, as far as it is known
	Err       error     // why Untrusted or Unknown
}

// Checker checks certificates. Safe for concurrent use.
type Checker struct {
	anchors []*x509.Certificate
	bad     error // an anchor that cannot be read: nothing is trusted by mistake, everything says why
	fetch   *fetcher
	now     func() time.Time
}

// New makes a Checker. It does nothing until it is asked.
func New(c Config) *Checker {
	k := &Checker{fetch: newFetcher(c.Hosts, c.Cache), now: time.Now}
	for _, der := range c.Anchors {
		a, err := x509.ParseCertificate(der)
		if err != nil {
			k.bad = fmt.Errorf("read an anchor: %w", err)
			continue
		}
		k.anchors = append(k.anchors, a)
	}
	return k
}

var errNoAnchors = errors.New("no trusted certificates are configured (status.anchors)")

// Check tells the status of leaf. known are certificates that may stand between it and an anchor. The error is for a leaf that cannot
// be read or a ctx that ended; whatever goes wrong on the way to an answer is in Result.Err.
func (k *Checker) Check(ctx context.Context, leaf []byte, known [][]byte) (Result, error) {
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return Result{}, fmt.Errorf("read the certificate: %w", err)
	}
	now := k.now()
	r := Result{CheckedAt: now, Days: days(cert.NotAfter.Sub(now))}
	chain := k.chain(cert, known)
	for _, c := range chain {
		r.Chain = append(r.Chain, c.Raw)
	}
	switch {
	case now.After(cert.NotAfter):
		r.Status = Expired
		return r, nil
	case now.Before(cert.NotBefore):
		r.Status = NotYetValid
		return r, nil
	}
	if r.Err = k.trusted(chain, now); r.Err != nil {
		r.Status = Untrusted
		return r, nil
	}
	for i := len(chain) - 2; i >= 0; i-- {
		if i > 0 && !revocable(chain[i]) {
			continue
		}
		a, err := k.revocation(ctx, chain[i], chain[i+1])
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		if i > 0 {
			switch {
			case err != nil:
				r.Status, r.Err = Unknown, fmt.Errorf("ask about the issuer %s: %w", chain[i].Subject.CommonName, err)
				return r, nil
			case a.revoked:
				r.Status, r.Err = Untrusted, fmt.Errorf("the issuer %s is revoked", chain[i].Subject.CommonName)
				return r, nil
			}
			continue
		}
		if err != nil {
			r.Status, r.Err = Unknown, err
			return r, nil
		}
		r.Source, r.CheckedAt = a.source, a.at
		if a.revoked {
			r.Status, r.RevokedAt, r.Reason = Revoked, a.revokedAt, reason(a.reason)
			return r, nil
		}
	}
	r.Status = Valid
	if r.Days <= warning {
		r.Status = Expiring
	}
	return r, nil
}

// days rounds down, also below zero.
func days(left time.Duration) int {
	d := int(left / (24 * time.Hour))
	if left < 0 && left%(24*time.Hour) != 0 {
		d--
	}
	return d
}

// reason names a CRLReason (RFC 5280 section 5.3.1).
func reason(code int) string {
	names := []string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	if code < 0 || code >= len(names) || names[code] == "" {
		return "unspecified"
	}
	return names[code]
}
