package signature

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/tokens"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Certificate is what a certificate says, any algorithm.
type Certificate struct {
	DER          []byte
	Subject      names.Name
	Issuer       names.Name
	SerialNumber string // hex, lower case, without the sign octet of its DER
	NotBefore    time.Time
	NotAfter     time.Time
	Public       []byte              // SubjectPublicKeyInfo, DER
	KeyAlgorithm tokens.KeyAlgorithm // "" when the protocol has no word for it
	Extensions   Extensions          // those a request could ask for, as the authority wrote them
	Qualified    bool                // as Qualified says
}

// serialText gives the content octets of a positive INTEGER without its sign.
func serialText(serial []byte) string {
	if len(serial) > 1 && serial[0] == 0 {
		serial = serial[1:]
	}
	return hex.EncodeToString(serial)
}

// ParseCertificate reads a DER certificate. It says nothing about whether to trust it.
func ParseCertificate(der []byte) (*Certificate, error) {
	c, err := parseCertificate(der)
	if err != nil {
		return nil, err
	}
	out := &Certificate{DER: der, SerialNumber: serialText(c.serial), NotBefore: c.notBefore, NotAfter: c.notAfter, Public: c.public, Qualified: c.qualified()}
	if out.Subject, err = names.Parse(c.subject); err != nil {
		return nil, fmt.Errorf("subject: %w: %w", ErrMalformed, err)
	}
	if out.Issuer, err = names.Parse(c.issuer); err != nil {
		return nil, fmt.Errorf("issuer: %w: %w", ErrMalformed, err)
	}
	if p, err := parsePublic(c.public); err == nil {
		out.KeyAlgorithm = p.alg
	} else if !errors.Is(err, ErrAlgorithm) {
		return nil, err
	}
	// What says how the key may be used must be read or nothing is; a damaged ornament hides no certificate.
	var damaged []extension
	out.Extensions, damaged = readRequested(c.extensions)
	for _, e := range damaged {
		if e.critical || e.oid.Equal(oidKeyUsage) || e.oid.Equal(oidExtendedKeyUsage) || e.oid.Equal(oidPrivateKeyUsage) {
			return nil, malformed("extension " + e.oid.String())
		}
	}
	return out, nil
}

var (
	oidQCStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidQCCompliance = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}
	russianClasses  = []string{"1.2.643.100.113.1", "1.2.643.100.113.2", "1.2.643.100.113.3", "1.2.643.100.113.4", "1.2.643.100.113.5", "1.2.643.100.113.6"}
)

// Qualified says whether a certificate (DER) calls itself qualified: by a policy of the Russian classes KC1 to KA1 (order 795) or by the statement
// QcCompliance (EN 319 412-5). Whether the authority was accredited is for the trust list to say.
func Qualified(der []byte) bool {
	c, err := parseCertificate(der)
	return err == nil && c.qualified()
}

func (c *certificate) qualified() bool {
	if e, has := find(c.extensions, oidPolicies); has {
		list, _ := readPolicies(e.value)
		for _, p := range list {
			for _, class := range russianClasses {
				if p == class {
					return true
				}
			}
		}
	}
	e, _ := find(c.extensions, oidQCStatements)
	in := cryptobyte.String(e.value)
	var seq, one cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return false
	}
	for !seq.Empty() {
		var oid asn1.ObjectIdentifier
		if !seq.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) {
			return false
		}
		if oid.Equal(oidQCCompliance) {
			return true
		}
	}
	return false
}
