package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// The whole profile is in this file: which keys are made and taken, and what a certificate says. A GOST authority needs its own
// newKey, acceptKey and the signing calls of crypto/x509 replaced; nothing else knows an algorithm.

var (
	oidSubjectSignTool    = asn1.ObjectIdentifier{1, 2, 643, 100, 111}
	oidIssuerSignTool     = asn1.ObjectIdentifier{1, 2, 643, 100, 112}
	oidIdentificationKind = asn1.ObjectIdentifier{1, 2, 643, 100, 114}
	oidKeyUsagePeriod     = asn1.ObjectIdentifier{2, 5, 29, 16}
	oidOCSPNoCheck        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidOGRN               = asn1.ObjectIdentifier{1, 2, 643, 100, 1}
	oidINNLE              = asn1.ObjectIdentifier{1, 2, 643, 100, 4}

	// FSB order 795: the class of the signing tool, KC1.
	policyKC1 = []uint64{1, 2, 643, 100, 113, 1}
)

// How a person was identified, for identificationKind.
const (
	InPerson      = 0
	ByCertificate = 1
)

const (
	rootYears, issuingYears = 20, 10
	responderLife           = 30 * 24 * time.Hour
	defaultLife             = 455 * 24 * time.Hour // 15 months
	defaultSignTool         = "Pero (перо)"
)

func newKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func acceptKey(public any) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 8192 || k.E < 65537 {
			return fmt.Errorf("%w: RSA of %d bits with exponent %d; 2048 to 8192 bits and 65537 are", ErrKey, n, k.E)
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return fmt.Errorf("%w: curve %s; P-256, P-384 and P-521 are", ErrKey, k.Params().Name)
		}
	default:
		return fmt.Errorf("%w: %T", ErrKey, public)
	}
	return nil
}

// authorityName is the name of the root or of the issuing key.
func authorityName(common string) pkix.Name {
	numeric := func(oid asn1.ObjectIdentifier, s string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oid, Value: asn1.RawValue{Tag: asn1.TagNumericString, Bytes: []byte(s)}}
	}
	return pkix.Name{
		Country: []string{"RU"}, Province: []string{"77 Москва"}, Locality: []string{"Москва"},
		Organization: []string{"Перо, демонстрация"}, CommonName: common,
		// made up, with right check digits
		ExtraNames: []pkix.AttributeTypeAndValue{numeric(oidOGRN, "1027700002220"), numeric(oidINNLE, "7700001115")},
	}
}

func authorityTemplate(common string, years int, depth int, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: newSerial(), Subject: authorityName(common),
		NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(years, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: depth, MaxPathLenZero: depth == 0,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func responderTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: newSerial(), Subject: authorityName("Перо: служба OCSP"),
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(responderLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: oidOCSPNoCheck, Value: asn1.NullBytes}},
	}
}

// citizenTemplate is what a citizen's certificate says. Nothing but the key and the name of the signing tool comes from the request.
func citizenTemplate(r Request, csr *x509.CertificateRequest, life time.Duration, now time.Time) (*x509.Certificate, error) {
	policy, err := x509.OIDFromInts(policyKC1)
	if err != nil {
		return nil, err
	}
	notBefore := now.Add(-time.Minute).Truncate(time.Second)
	notAfter := now.Add(life).Truncate(time.Second)
	var extra []pkix.Extension
	for _, e := range []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{
		{oidSubjectSignTool, utf8(signTool(csr))},
		{oidIssuerSignTool, issuerSignTool{utf8(defaultSignTool), utf8("Демонстрационный УЦ «Перо»"), utf8("нет: демонстрация"), utf8("нет: демонстрация")}},
		{oidIdentificationKind, r.Identification},
		{oidKeyUsagePeriod, keyUsagePeriod{notBefore.UTC(), notAfter.UTC()}},
	} {
		der, err := asn1.Marshal(e.value)
		if err != nil {
			return nil, fmt.Errorf("extension %v: %w", e.oid, err)
		}
		extra = append(extra, pkix.Extension{Id: e.oid, Value: der})
	}
	spki, err := keyIdentifier(csr.PublicKey)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: newSerial(), RawSubject: r.Subject, SubjectKeyId: spki,
		NotBefore: notBefore, NotAfter: notAfter, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
		Policies:    []x509.OID{policy}, ExtraExtensions: extra,
	}
	if r.Email != "" {
		t.EmailAddresses = []string{r.Email}
	}
	return t, nil
}

type issuerSignTool struct{ Tool, CATool, ToolPapers, CAPapers asn1.RawValue }

type keyUsagePeriod struct {
	NotBefore time.Time `asn1:"tag:0,generalized"`
	NotAfter  time.Time `asn1:"tag:1,generalized"`
}

func utf8(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)} }

// signTool is the name of the requester's tool: the one thing of the request that is the requester's to say (up to 200 characters).
func signTool(csr *x509.CertificateRequest) string {
	for _, e := range csr.Extensions {
		var s string
		if e.Id.Equal(oidSubjectSignTool) {
			if rest, err := asn1.Unmarshal(e.Value, &s); err == nil && len(rest) == 0 && s != "" && len([]rune(s)) <= 200 {
				return s
			}
		}
	}
	return defaultSignTool
}

// keyIdentifier is RFC 7093 section 2 method 1.
func keyIdentifier(public any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(spki.Key.Bytes)
	return sum[:20], nil
}

// newSerial is 127 random bits: positive and at most 16 octets.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

// Serial writes a serial number as Entry and the addresses have it.
func Serial(n *big.Int) string { return fmt.Sprintf("%x", n) }

func (a *Authority) address(name string) string {
	return (&url.URL{Scheme: a.base.Scheme, Host: a.base.Host, Path: "/ca/" + name}).String()
}
