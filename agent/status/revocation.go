package status

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	maxOCSP = 64 << 10
	maxCRL  = 20 << 20
	skew    = 5 * time.Minute // a responder's clock may be ahead by

	// How long an answer is taken without asking again. After that it still serves, until its nextUpdate, when nobody answers.
	freshOCSP = time.Minute
	freshCRL  = 10 * time.Minute
)

// answer is what a source said about one certificate.
type answer struct {
	source    string
	at        time.Time // when it was fetched
	revoked   bool
	revokedAt time.Time
	reason    int
	until     time.Time // nextUpdate; zero when the responder gives none
}

var errNoAddress = errors.New("the certificate names no address to ask about revocation")

func revocable(c *x509.Certificate) bool {
	return len(web(c.OCSPServer)) > 0 || len(web(c.CRLDistributionPoints)) > 0
}

// web keeps the addresses that can be fetched: ldap and others cannot.
func web(urls []string) []string {
	var list []string
	for _, u := range urls {
		if l := strings.ToLower(u); strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://") {
			list = append(list, u)
		}
		if len(list) == 4 {
			break
		}
	}
	return list
}

// revocation asks OCSP, then CRLs, until one gives an answer that holds.
func (k *Checker) revocation(ctx context.Context, c, issuer *x509.Certificate) (answer, error) {
	var errs []error
	for _, url := range web(c.OCSPServer) {
		a, err := k.askOCSP(ctx, url, c, issuer)
		if err == nil {
			return a, nil
		}
		errs = append(errs, fmt.Errorf("ask OCSP at %s: %w", url, err))
	}
	for _, url := range web(c.CRLDistributionPoints) {
		a, err := k.askCRL(ctx, url, c, issuer)
		if err == nil {
			return a, nil
		}
		errs = append(errs, fmt.Errorf("fetch the CRL at %s: %w", url, err))
	}
	if len(errs) == 0 {
		return answer{}, errNoAddress
	}
	return answer{}, errors.Join(errs...)
}

func (k *Checker) askOCSP(ctx context.Context, url string, c, issuer *x509.Certificate) (answer, error) {
	request, err := ocsp.CreateRequest(c, issuer, nil)
	if err != nil {
		return answer{}, err
	}
	return k.fetch.get(ctx, query{url: url, body: request, kind: "application/ocsp-request", limit: maxOCSP, fresh: freshOCSP, now: k.now()},
		func(octets []byte, at time.Time) (answer, error) { return readOCSP(octets, at, k.now(), c, issuer) })
}

func readOCSP(octets []byte, at, now time.Time, c, issuer *x509.Certificate) (answer, error) {
	r, signer, err := parseOCSP(octets, c, issuer)
	if err != nil {
		return answer{}, err
	}
	if err := mayAnswer(signer, issuer, now); err != nil {
		return answer{}, err
	}
	if err := inTime(r.ThisUpdate, r.NextUpdate, at, now); err != nil {
		return answer{}, err
	}
	a := answer{source: OCSP, at: at, until: r.NextUpdate}
	switch r.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		a.revoked, a.revokedAt, a.reason = true, r.RevokedAt, r.RevocationReason
	default:
		return answer{}, errors.New("the responder does not know the certificate")
	}
	return a, nil
}

func (k *Checker) askCRL(ctx context.Context, url string, c, issuer *x509.Certificate) (answer, error) {
	return k.fetch.get(ctx, query{url: url, limit: maxCRL, fresh: freshCRL, now: k.now()},
		func(octets []byte, at time.Time) (answer, error) { return readCRL(octets, at, k.now(), c, issuer) })
}

func readCRL(octets []byte, at, now time.Time, c, issuer *x509.Certificate) (answer, error) {
	list, err := x509.ParseRevocationList(octets)
	if err != nil {
		return answer{}, err
	}
	if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
		return answer{}, errors.New("the list is of another issuer")
	}
	if err := holds(list, octets, issuer); err != nil {
		return answer{}, fmt.Errorf("the list's signature does not hold: %w", err)
	}
	if list.NextUpdate.IsZero() {
		return answer{}, errors.New("the list does not say until when it holds")
	}
	if err := inTime(list.ThisUpdate, list.NextUpdate, at, now); err != nil {
		return answer{}, err
	}
	for _, e := range list.Extensions {
		if !e.Critical {
			continue
		}
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}) { // a delta CRL (2.5.29.27) or what we do not know
			return answer{}, fmt.Errorf("the list has the critical extension %s, which is not understood", e.Id)
		}
		if err := covers(e.Value, c.IsCA); err != nil {
			return answer{}, err
		}
	}
	a := answer{source: CRL, at: at, until: list.NextUpdate}
	for _, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
			a.revoked, a.revokedAt, a.reason = true, e.RevocationTime, e.ReasonCode
			return a, nil
		}
	}
	return a, nil
}

// covers reads an IssuingDistributionPoint (RFC 5280 section 5.2.5) and refuses a list that speaks of other certificates only, of some
// reasons only, or for other issuers.
func covers(der []byte, ca bool) error {
	var p struct {
		Point       asn1.RawValue  `asn1:"optional,tag:0"`
		User        bool           `asn1:"optional,tag:1"`
		CA          bool           `asn1:"optional,tag:2"`
		SomeReasons asn1.BitString `asn1:"optional,tag:3"`
		Indirect    bool           `asn1:"optional,tag:4"`
		Attribute   bool           `asn1:"optional,tag:5"`
	}
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) > 0 {
		return errors.New("the list's distribution point cannot be read")
	}
	if p.Indirect || p.Attribute || p.SomeReasons.BitLength > 0 || p.User && ca || p.CA && !ca {
		return errors.New("the list does not speak of this certificate")
	}
	return nil
}

// inTime refuses an answer that is not of now. Without a nextUpdate it holds only for the moment it was fetched.
func inTime(this, next, fetched, now time.Time) error {
	switch {
	case this.After(now.Add(skew)):
		return fmt.Errorf("the answer is dated %s, in the future: is this computer's clock right?", this.UTC().Format(time.RFC3339))
	case next.IsZero() && now.Sub(fetched) > freshOCSP:
		return errors.New("the answer has aged")
	case !next.IsZero() && now.After(next):
		return fmt.Errorf("the answer ended on %s", next.UTC().Format(time.RFC3339))
	}
	return nil
}
