package ca

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
)

// What each certificate says is in this file.

// The classes of the signing tool, KC1 and KC2 (FSB order 795): a higher one includes the lower.
var policyKC1, policyKC2 = asn1.ObjectIdentifier{1, 2, 643, 100, 113, 1}, asn1.ObjectIdentifier{1, 2, 643, 100, 113, 2}

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

var issuerTools = [4]string{defaultSignTool, "Демонстрационный УЦ «Перо»", "нет: демонстрация", "нет: демонстрация"}

// authorityName is the name of the root, of the issuing key or of a responder.
func authorityName(common string) ([]byte, error) {
	name, err := names.FromMembers(map[string]string{
		"country": "RU", "stateOrProvince": "77 Москва", "locality": "Москва", "organization": "Перо, демонстрация", "commonName": common,
		"ogrn": "1027700002220", "innLe": "7700001115", // made up, with right check digits
	})
	if err != nil {
		return nil, err
	}
	return name.Marshal()
}

// authorityTemplate is an authority's certificate over depth more authorities; issuer is the identifier of the key that signs it.
func authorityTemplate(common string, years, depth int, public, issuer []byte, now time.Time, more func(*extensions)) (template, error) {
	subject, err := authorityName(common)
	if err != nil {
		return template{}, err
	}
	var x extensions
	x.authorityOf(depth)
	x.usage(keyCertSign, crlSign)
	x.keys(public, issuer)
	x.policies(policyKC1, policyKC2)
	x.signTools(defaultSignTool, issuerTools)
	if more != nil {
		more(&x)
	}
	return template{newSerial(), subject, now.Add(-time.Minute), now.AddDate(years, 0, 0), public, x.list}, x.err
}

func responderTemplate(public, issuer []byte, now time.Time) (template, error) {
	subject, err := authorityName("Перо: служба OCSP")
	if err != nil {
		return template{}, err
	}
	var x extensions
	x.authorityOf(-1)
	x.usage(digitalSignature)
	x.purposes(oidOCSPSigning)
	x.keys(public, issuer)
	x.add(oidOCSPNoCheck, false, func(b *cryptobyte.Builder) { b.AddBytes(asn1.NullBytes) })
	return template{newSerial(), subject, now.Add(-time.Minute), now.Add(responderLife), public, x.list}, x.err
}

// citizenTemplate is what a citizen's certificate says. Nothing but the key public and the name of the signing tool comes from the request.
func (a *Authority) citizenTemplate(r Request, csr *x509.CertificateRequest, public []byte, now time.Time) (template, error) {
	t := template{serial: newSerial(), subject: r.Subject, public: public,
		notBefore: now.Add(-time.Minute).Truncate(time.Second), notAfter: now.Add(a.life).Truncate(time.Second)}
	var x extensions
	x.authorityOf(-1)
	x.usage(digitalSignature, nonRepudiation)
	x.purposes(oidClientAuth, oidEmailProtection)
	x.keys(t.public, a.issuing.cert.SubjectKeyId)
	x.policies(policyKC1, policyKC2)
	x.keyPeriod(t.notBefore, t.notAfter)
	x.signTools(signTool(csr), issuerTools)
	x.identification(r.Identification)
	if r.Email != "" {
		x.email(r.Email)
	}
	x.crlAt(a.address("issuing.crl"))
	x.access(a.address("ocsp"), a.address("issuing.cer"))
	t.extensions = x.list
	return t, x.err
}

// signTool is the name of the requester's tool: the one thing of the request that is the requester's to say, if it is one that Pero would ask for
// (it is shown in lists and letters, where a line break or a turn of the writing direction would lie).
func signTool(csr *x509.CertificateRequest) string {
	for _, e := range csr.Extensions {
		var s string
		if e.Id.Equal(oidSubjectSignTool) {
			if rest, err := asn1.Unmarshal(e.Value, &s); err == nil && len(rest) == 0 && s != "" && (signature.Extensions{SubjectSignTool: s}).Check() == nil {
				return s
			}
		}
	}
	return defaultSignTool
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
