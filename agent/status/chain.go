package status

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxChain bounds the search: real chains have two to four certificates.
const maxChain = 8

// Chain gives leaf and its issuers as far as known and the anchors tell, leaf first. Each was signed by the next; whether the last one
// is to be trusted is not said. A leaf that cannot be read stands alone.
func (k *Checker) Chain(leaf []byte, known [][]byte) [][]byte {
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return [][]byte{leaf}
	}
	var list [][]byte
	for _, c := range k.chain(cert, known) {
		list = append(list, c.Raw)
	}
	return list
}

func (k *Checker) chain(leaf *x509.Certificate, known [][]byte) []*x509.Certificate {
	// Anchors come first: where an issuer is known under several certificates, the way to an anchor is the one to take.
	candidates := slices.Clone(k.anchors)
	for _, der := range known {
		if c, err := x509.ParseCertificate(der); err == nil {
			candidates = append(candidates, c)
		}
	}
	chain := []*x509.Certificate{leaf}
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		if bytes.Equal(last.RawSubject, last.RawIssuer) {
			break
		}
		i := slices.IndexFunc(candidates, func(c *x509.Certificate) bool { return issued(c, last) })
		if i < 0 {
			break
		}
		chain = append(chain, candidates[i])
		candidates = slices.Delete(candidates, i, i+1)
	}
	return chain
}

// issued tells whether issuer signed c.
func issued(issuer, c *x509.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, c.RawIssuer) {
		return false
	}
	if len(issuer.SubjectKeyId) > 0 && len(c.AuthorityKeyId) > 0 && !bytes.Equal(issuer.SubjectKeyId, c.AuthorityKeyId) {
		return false
	}
	return holds(c, c.Raw, issuer) == nil
}

// trusted holds the chain against the rules of RFC 5280 section 6: signatures, dates, CA flags, path lengths, name constraints.
func (k *Checker) trusted(chain []*x509.Certificate, now time.Time) error {
	if k.bad != nil {
		return k.bad
	}
	if len(k.anchors) == 0 {
		return errNoAnchors
	}
	last := chain[len(chain)-1]
	if !slices.ContainsFunc(k.anchors, last.Equal) {
		return fmt.Errorf("no trusted certificate stands at the end of the chain, which ends with %q", last.Subject.String())
	}
	if len(chain) == 1 {
		return nil // the anchor itself
	}
	if slices.ContainsFunc(chain[1:], foreign) {
		return path(chain, now)
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	opts.Roots.AddCert(last)
	for _, c := range chain[1 : len(chain)-1] {
		opts.Intermediates.AddCert(c)
	}
	leaf := *chain[0]
	// Of the critical extensions that crypto/x509 leaves to the caller, the ones of a person's certificate say nothing about trust.
	leaf.UnhandledCriticalExtensions = nil
	if _, err := leaf.Verify(opts); err != nil {
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			return fmt.Errorf("the chain does not hold: %w", err)
		}
		return err
	}
	return nil
}
