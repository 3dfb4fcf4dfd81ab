package signature

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// certificate is an X.509 certificate (RFC 5280 section 4.1) by its raw parts.
type certificate struct {
	raw        []byte
	tbs        []byte
	version    int    // 1 to 3
	serial     []byte // content octets of the INTEGER
	algorithm  identifier
	issuer     []byte // Name, DER
	subject    []byte
	notBefore  time.Time
	notAfter   time.Time
	public     []byte // SubjectPublicKeyInfo
	extensions []extension
	signature  []byte
}

// extension is one of the extensions of a certificate, a request or a CRL.
type extension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    []byte
}

// A certificate of a citizen has some 2-4 KiB.
const (
	maxCertificate = 64 << 10
	maxExtensions  = 100
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

func parseCertificate(der []byte) (*certificate, error) {
	if len(der) > maxCertificate {
		return nil, malformed("certificate of " + size(len(der)))
	}
	in := cryptobyte.String(der)
	var whole, tbs, rest cryptobyte.String
	c := &certificate{raw: der}
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("certificate")
	}
	outer, err := readIdentifier(&whole)
	if err != nil {
		return nil, err
	}
	if !whole.ReadASN1BitStringAsBytes(&c.signature) || !whole.Empty() {
		return nil, malformed("certificate signature")
	}
	c.tbs = tbs
	tbs.ReadASN1(&rest, cbasn1.SEQUENCE)
	if !rest.ReadOptionalASN1Integer(&c.version, explicit(0), 0) || c.version < 0 || c.version > 2 {
		return nil, malformed("certificate version")
	}
	c.version++
	var serial, validity cryptobyte.String
	if !rest.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 {
		return nil, malformed("serial number")
	}
	c.serial = serial
	if c.algorithm, err = readIdentifier(&rest); err != nil {
		return nil, err
	}
	if !c.algorithm.oid.Equal(outer.oid) || !bytes.Equal(c.algorithm.params, outer.params) {
		return nil, malformed("two signature algorithms in one certificate")
	}
	var issuer, subject, public cryptobyte.String
	if !rest.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !rest.ReadASN1(&validity, cbasn1.SEQUENCE) {
		return nil, malformed("certificate issuer or validity")
	}
	var ok1, ok2 bool
	c.notBefore, ok1 = readTime(&validity)
	c.notAfter, ok2 = readTime(&validity)
	if !ok1 || !ok2 || !validity.Empty() {
		return nil, malformed("certificate validity")
	}
	if !rest.ReadASN1Element(&subject, cbasn1.SEQUENCE) || !rest.ReadASN1Element(&public, cbasn1.SEQUENCE) {
		return nil, malformed("certificate subject or key")
	}
	c.issuer, c.subject, c.public = issuer, subject, public
	if !rest.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific()) || !rest.SkipOptionalASN1(cbasn1.Tag(2).ContextSpecific()) {
		return nil, malformed("certificate unique identifiers")
	}
	var exts cryptobyte.String
	var has bool
	if !rest.ReadOptionalASN1(&exts, &has, explicit(3)) || !rest.Empty() {
		return nil, malformed("certificate extensions")
	}
	if has {
		if c.extensions, err = readExtensions(&exts); err != nil || !exts.Empty() {
			return nil, malformed("certificate extensions")
		}
	}
	return c, nil
}

// readExtensions reads Extensions; an extension may appear once (RFC 5280 section 4.2).
func readExtensions(in *cryptobyte.String) ([]extension, error) {
	var seq cryptobyte.String
	var list []extension
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return nil, malformed("extensions")
	}
	for !seq.Empty() {
		var one, value cryptobyte.String
		var e extension
		if !seq.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&e.oid) ||
			one.PeekASN1Tag(cbasn1.BOOLEAN) && !one.ReadASN1Boolean(&e.critical) ||
			!one.ReadASN1(&value, cbasn1.OCTET_STRING) || !one.Empty() || len(list) == maxExtensions {
			return nil, malformed("extensions")
		}
		if _, twice := find(list, e.oid); twice {
			return nil, malformed("extension " + e.oid.String() + " twice")
		}
		e.value = value
		list = append(list, e)
	}
	return list, nil
}

func find(list []extension, oid asn1.ObjectIdentifier) (extension, bool) {
	for _, e := range list {
		if e.oid.Equal(oid) {
			return e, true
		}
	}
	return extension{}, false
}

// readTime reads a UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has them.
func readTime(in *cryptobyte.String) (time.Time, bool) {
	var t time.Time
	var ok bool
	if in.PeekASN1Tag(cbasn1.UTCTime) {
		ok = in.ReadASN1UTCTime(&t)
	} else {
		ok = in.ReadASN1GeneralizedTime(&t)
	}
	return t.UTC(), ok
}

// selfIssued: issuer and subject are the same name.
func (c *certificate) selfIssued() bool { return bytes.Equal(c.issuer, c.subject) }

// checkedBy says whether the certificate's signature holds under a key.
func (c *certificate) checkedBy(public []byte) error {
	return checkSigned(public, c.algorithm, c.tbs, c.signature)
}

// size is a number of octets for a message.
func size(n int) string { return fmt.Sprintf("%d octets", n) }
