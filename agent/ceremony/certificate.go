package ceremony

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
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
	parsed    *x509.Certificate
	subject   names.Name
	issuer    names.Name
	algorithm tokens.KeyAlgorithm // "" when the protocol has no word for it
}

func parse(der []byte) certificate {
	sum := sha256.Sum256(der)
	c := certificate{id: hex.EncodeToString(sum[:]), der: der}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return c
	}
	c.parsed = parsed
	c.subject, _ = names.Parse(parsed.RawSubject)
	c.issuer, _ = names.Parse(parsed.RawIssuer)
	c.algorithm, _ = signature.KeyAlgorithmOf(parsed.RawSubjectPublicKeyInfo)
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
	v.SerialNumber = hex.EncodeToString(c.parsed.SerialNumber.Bytes())
	v.NotBefore, v.NotAfter = c.parsed.NotBefore.UTC(), c.parsed.NotAfter.UTC()
	v.KeyUsage = append(v.KeyUsage, usages(c.parsed.KeyUsage)...)
	v.ExtendedKeyUsage = append(v.ExtendedKeyUsage, purposes(c.parsed)...)
	v.Qualified = qualified(c.parsed)
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
	from, until := c.parsed.NotBefore, c.parsed.NotAfter
	// The key may have a shorter life than its certificate (RFC 5280 permits privateKeyUsagePeriod, order 795 requires it): after it
	// one still verifies, but does not sign.
	if f, u := keyPeriod(c.parsed); !f.IsZero() || !u.IsZero() {
		if f.After(from) {
			from = f
		}
		if !u.IsZero() && u.Before(until) {
			until = u
		}
	}
	if now.Before(from) || now.After(until) {
		return refuse(api.CertificateExpired, "certificate %s signs from %s to %s", c.id, from, until)
	}
	if u := c.parsed.KeyUsage; u != 0 && u&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return refuse(api.KeyUsageMismatch, "certificate %s is for %v", c.id, usages(u))
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

// usages names the bits of a key usage (RFC 5280 section 4.2.1.3).
func usages(u x509.KeyUsage) (list []string) {
	for i, name := range []string{
		"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
		"encipherOnly", "decipherOnly",
	} {
		if u&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

var (
	oidKeyPeriod       = asn1.ObjectIdentifier{2, 5, 29, 16}
	oidKeyPurposes     = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidSubjectSignTool = asn1.ObjectIdentifier{1, 2, 643, 100, 111}
	oidIssuerSignTool  = asn1.ObjectIdentifier{1, 2, 643, 100, 112}
	oidClassKC1        = asn1.ObjectIdentifier{1, 2, 643, 100, 113, 1}
	oidQCStatements    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidQCCompliance    = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}
)

func extension(c *x509.Certificate, id asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e.Value
		}
	}
	return nil
}

// purposes gives the dotted OIDs of the extended key usage, in the order of the certificate.
func purposes(c *x509.Certificate) (list []string) {
	var ids []asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(extension(c, oidKeyPurposes), &ids); err != nil {
		return nil
	}
	for _, id := range ids {
		list = append(list, id.String())
	}
	return list
}

// keyPeriod reads privateKeyUsagePeriod (RFC 3280 section 4.2.1.4).
func keyPeriod(c *x509.Certificate) (from, until time.Time) {
	var p struct {
		NotBefore time.Time `asn1:"optional,generalized,tag:0"`
		NotAfter  time.Time `asn1:"optional,generalized,tag:1"`
	}
	if _, err := asn1.Unmarshal(extension(c, oidKeyPeriod), &p); err != nil {
		return
	}
	return p.NotBefore, p.NotAfter
}

// qualified says whether the certificate calls itself qualified: by the marks of order 795 (tools of holder and issuer, a class of
// protection) or by the statement of EN 319 412-5. Whether its issuer may say so is for certificates.status.
func qualified(c *x509.Certificate) bool {
	if extension(c, oidSubjectSignTool) != nil && extension(c, oidIssuerSignTool) != nil &&
		slices.ContainsFunc(c.PolicyIdentifiers, oidClassKC1.Equal) {
		return true
	}
	var statements []struct {
		ID   asn1.ObjectIdentifier
		Info asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(extension(c, oidQCStatements), &statements); err != nil {
		return false
	}
	for _, s := range statements {
		if s.ID.Equal(oidQCCompliance) {
			return true
		}
	}
	return false
}
