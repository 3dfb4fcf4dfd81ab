package ceremony

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// certificate is a certificate as read from a token. parsed is nil when it is not one that can be read: it is listed all the same.
type certificate struct {
	id        string
	der       []byte
	parsed    *signature.Certificate
	subject   names.Name
	issuer    names.Name
	algorithm tokens.KeyAlgorithm // "" when the protocol has no word for it
}

func parse(der []byte) certificate {
	sum := sha256.Sum256(der)
	c := certificate{id: hex.EncodeToString(sum[:]), der: der}
	parsed, err := signature.ParseCertificate(der)
	if err != nil {
		return c
	}
	c.parsed, c.subject, c.issuer, c.algorithm = parsed, parsed.Subject, parsed.Issuer, parsed.KeyAlgorithm
	return c
}

// view is what a page sees.
func (c certificate) view(token tokens.ID, hasKey bool) api.Certificate {
	v := api.Certificate{
		ID: c.id, Token: string(token), DER: c.der, KeyAlgorithm: string(c.algorithm), HasPrivateKey: hasKey,
		KeyUsage: []string{}, ExtendedKeyUsage: []string{},
	}
	if c.parsed == nil {
		return v
	}
	v.Subject, v.Issuer = subjectOf(c.subject.Members()), subjectOf(c.issuer.Members())
	v.SerialNumber = c.parsed.SerialNumber
	v.NotBefore, v.NotAfter = c.parsed.NotBefore.UTC(), c.parsed.NotAfter.UTC()
	v.KeyUsage = append(v.KeyUsage, c.parsed.Extensions.KeyUsage...)
	v.ExtendedKeyUsage = append(v.ExtendedKeyUsage, c.parsed.Extensions.ExtendedKeyUsage...)
	v.Qualified = c.parsed.Qualified
	return v
}

// holder is whose certificate it is, in one line.
func (c certificate) holder() string {
	return firstOf(c.subject, "commonName", "organization", "email")
}

func (c certificate) issuerName() string { return firstOf(c.issuer, "commonName", "organization") }

func firstOf(n names.Name, members ...string) string {
	for _, m := range members {
		if v := n.Get(m); v != "" {
			return v
		}
	}
	return n.String()
}

// signs says whether the certificate may sign at the time now: nil, or the refusal.
func (c certificate) signs(now time.Time) error {
	if c.parsed == nil {
		return refuse(api.AlgorithmUnsupported, "certificate %s cannot be read", c.id)
	}
	if c.algorithm == "" {
		return refuse(api.AlgorithmUnsupported, "the key of certificate %s is of an unknown or too weak kind", c.id)
	}
	if now.Before(c.parsed.NotBefore) || now.After(c.parsed.NotAfter) {
		return refuse(api.CertificateExpired, "certificate %s is in force from %s to %s", c.id, c.parsed.NotBefore, c.parsed.NotAfter)
	}
	// The key may have a shorter life than its certificate (RFC 5280 permits privateKeyUsagePeriod, order 795 requires it): after it
	// one still verifies, but does not sign.
	e := c.parsed.Extensions
	if from, until := e.PrivateKeyUsageNotBefore, e.PrivateKeyUsageNotAfter; now.Before(from) || !until.IsZero() && now.After(until) {
		return refuse(api.KeyExpired, "the key of certificate %s signs from %s to %s", c.id, from, until)
	}
	if u := e.KeyUsage; len(u) > 0 && !slices.Contains(u, "digitalSignature") && !slices.Contains(u, "nonRepudiation") {
		return refuse(api.KeyUsageMismatch, "certificate %s is for %v", c.id, u)
	}
	return nil
}

// usable says whether a signature can be made with what lies there.
func (h holding) usable(now time.Time) error {
	if err := h.signs(now); err != nil {
		return err
	}
	if h.key == "" {
		return fmt.Errorf("certificate %s: %w", h.id, tokens.ErrNoKey)
	}
	return ready(h.token)
}

func (h holding) view() api.Certificate { return h.certificate.view(h.token.ID, h.key != "") }
