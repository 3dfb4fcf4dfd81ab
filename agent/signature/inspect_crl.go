package signature

import (
	"encoding/asn1"
	"encoding/hex"
	"strconv"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// crl describes a certificate revocation list (RFC 5280 section 5.1).
func (i inspector) crl(data []byte) (Description, error) {
	d := Description{Kind: KindCRL}
	bad := malformed("revocation list")
	in := cryptobyte.String(data)
	var whole, tbs, body, issuer, revoked, exts cryptobyte.String
	var sig []byte
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !whole.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return d, bad
	}
	id, err := readIdentifier(&whole)
	if err != nil || !whole.ReadASN1BitStringAsBytes(&sig) || !whole.Empty() {
		return d, bad
	}
	raw := tbs
	tbs.ReadASN1(&body, cbasn1.SEQUENCE)
	var version int
	if body.PeekASN1Tag(cbasn1.INTEGER) && !body.ReadASN1Integer(&version) {
		return d, bad
	}
	if _, err := readIdentifier(&body); err != nil || !body.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return d, bad
	}
	this, ok := readTime(&body)
	if !ok {
		return d, bad
	}
	var next time.Time
	if body.PeekASN1Tag(cbasn1.UTCTime) || body.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if next, ok = readTime(&body); !ok {
			return d, bad
		}
	}
	count := 0
	if body.PeekASN1Tag(cbasn1.SEQUENCE) {
		body.ReadASN1(&revoked, cbasn1.SEQUENCE)
		for ; !revoked.Empty(); count++ {
			if !revoked.SkipASN1(cbasn1.SEQUENCE) {
				return d, bad
			}
		}
	}
	var list []extension
	var has bool
	if !body.ReadOptionalASN1(&exts, &has, explicit(0)) || !body.Empty() {
		return d, bad
	}
	if has {
		if list, err = readExtensions(&exts); err != nil {
			return d, err
		}
	}
	if err := d.name("inspect.issuer", issuer, false); err != nil {
		return d, err
	}
	d.time("inspect.thisUpdate", this)
	d.time("inspect.nextUpdate", next)
	if n, has := find(list, oidCRLNumber); has {
		v := cryptobyte.String(n.value)
		var number cryptobyte.String
		if v.ReadASN1(&number, cbasn1.INTEGER) {
			d.add("inspect.number", hex.EncodeToString(number))
		}
	}
	d.add("inspect.revoked", strconv.Itoa(count))
	d.add("inspect.signatureAlgorithm", signatureName(id))
	if len(i.issuers) > 0 {
		d.holds(i.issued(issuer, id, raw, sig))
	} else {
		d.word("inspect.unchecked", "inspect.unchecked.issuer")
	}
	return d, nil
}

var (
	oidBasicOCSP = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	ocspStatus   = []string{"successful", "malformedRequest", "internalError", "tryLater", "", "sigRequired", "unauthorized"}
)

// ocsp describes an OCSP response (RFC 6960 section 4.2.1).
func (i inspector) ocsp(data []byte) (Description, error) {
	d := Description{Kind: KindOCSP}
	bad := malformed("OCSP response")
	in := cryptobyte.String(data)
	var whole, outer, seq, octets cryptobyte.String
	var status int
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1Enum(&status) || status < 0 || status >= len(ocspStatus) {
		return d, bad
	}
	d.add("inspect.status", ocspStatus[status])
	if whole.Empty() {
		return d, nil
	}
	if !whole.ReadASN1(&outer, explicit(0)) || !outer.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(oidBasicOCSP) || !seq.ReadASN1(&octets, cbasn1.OCTET_STRING) {
		return d, bad
	}
	var basic, tbs, body, certs, list cryptobyte.String
	var sig []byte
	if !octets.ReadASN1(&basic, cbasn1.SEQUENCE) || !basic.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return d, bad
	}
	id, err := readIdentifier(&basic)
	if err != nil || !basic.ReadASN1BitStringAsBytes(&sig) {
		return d, bad
	}
	raw := tbs
	tbs.ReadASN1(&body, cbasn1.SEQUENCE)
	var responder, responses cryptobyte.String
	var tag cbasn1.Tag
	var produced time.Time
	if !body.SkipOptionalASN1(explicit(0)) || !body.ReadAnyASN1(&responder, &tag) || !body.ReadASN1GeneralizedTime(&produced) || !body.ReadASN1(&responses, cbasn1.SEQUENCE) {
		return d, bad
	}
	if tag == explicit(1) {
		if err := d.name("inspect.responder", responder, false); err != nil {
			return d, err
		}
	}
	d.time("inspect.producedAt", produced)
	for n := 0; !responses.Empty() && n < maxList; n++ {
		if !d.single(&responses) {
			return d, bad
		}
	}
	d.add("inspect.signatureAlgorithm", signatureName(id))
	var has bool
	if !basic.ReadOptionalASN1(&certs, &has, explicit(0)) || has && !certs.ReadASN1(&list, cbasn1.SEQUENCE) {
		return d, bad
	}
	keys := i.issuers
	for !list.Empty() && len(d.Nested) < maxList {
		var der cryptobyte.String
		if !list.ReadASN1Element(&der, cbasn1.SEQUENCE) {
			return d, bad
		}
		c, err := inspector{i.issuers, true}.certificate(der)
		if err != nil {
			return d, err
		}
		d.Nested = append(d.Nested, c)
		// A responder's certificate counts when nothing better is given, or when the issuer given signed it.
		if p, err := parseCertificate(der); err == nil && (len(i.issuers) == 0 || i.issued(p.issuer, p.algorithm, p.tbs, p.signature) == nil) {
			keys = append(keys, p)
		}
	}
	if len(keys) == 0 {
		d.word("inspect.unchecked", "inspect.unchecked.issuer")
		return d, nil
	}
	for _, c := range keys {
		if err = checkSigned(c.public, id, raw, sig); err == nil {
			break
		}
	}
	d.holds(err)
	return d, nil
}

// single adds one SingleResponse: which certificate, and its status.
func (d *Description) single(in *cryptobyte.String) bool {
	var one, cert, serial, status cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1(&cert, cbasn1.SEQUENCE) || !one.ReadAnyASN1(&status, &tag) {
		return false
	}
	if _, err := readIdentifier(&cert); err != nil || !cert.SkipASN1(cbasn1.OCTET_STRING) || !cert.SkipASN1(cbasn1.OCTET_STRING) || !cert.ReadASN1(&serial, cbasn1.INTEGER) {
		return false
	}
	d.add("inspect.serialNumber", hex.EncodeToString(serial))
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
		d.word("inspect.certificateStatus", "inspect.certificateStatus.good")
	case explicit(1):
		d.word("inspect.certificateStatus", "inspect.certificateStatus.revoked")
		if at, ok := readTime(&status); ok {
			d.time("inspect.revokedAt", at)
		}
	default:
		d.word("inspect.certificateStatus", "inspect.certificateStatus.unknown")
	}
	if this, ok := readTime(&one); ok {
		d.time("inspect.thisUpdate", this)
	}
	return true
}
