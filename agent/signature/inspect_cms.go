package signature

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// cms describes a CMS ContentInfo: SignedData with its signers and certificates, of any other type the type alone.
func (i inspector) cms(data []byte) (Description, error) {
	d := Description{Kind: KindCMS}
	r := newVerifier(bytes.NewReader(data))
	if err := r.into("ContentInfo", sequenceTag); err != nil {
		return d, err
	}
	oid, err := r.oid()
	if err != nil {
		return d, err
	}
	d.add("inspect.contentType", oidName(oid))
	if oid.Equal(oidDigestedData) {
		return d, d.digested(newVerifier(bytes.NewReader(data)))
	}
	if !oid.Equal(oidSignedData) {
		return d, nil
	}
	v := newVerifier(bytes.NewReader(data))
	v.undecided, v.known = true, i.issuers
	if err := v.signedData(); err != nil {
		return d, err
	}
	if len(v.report.Signers) > 0 {
		d.signers(&v.report)
	}
	all := inspector{issuers: slices.Concat(i.issuers, v.certificates), inside: true}
	for _, der := range v.report.Certificates {
		c, err := all.certificate(der)
		if err != nil {
			return d, err
		}
		d.Nested = append(d.Nested, c)
	}
	return d, nil
}

// digested describes DigestedData (RFC 5652 section 7): whether the digest fits tells of damage, not of who made it.
func (d *Description) digested(v *verifier) error {
	if err := v.into("ContentInfo", sequenceTag); err != nil {
		return err
	}
	if _, err := v.oid(); err != nil {
		return err
	}
	for _, tag := range []cbasn1.Tag{explicit(0), sequenceTag} {
		if err := v.into("DigestedData", tag); err != nil {
			return err
		}
	}
	if version, err := v.integer(); err != nil || version != 0 && version != 2 {
		return errors.Join(err, malformed("version"))
	}
	id, err := v.identifier()
	if err != nil {
		return err
	}
	dig, err := byDigestID(id)
	if err == nil {
		v.listed = []digest{dig}
	}
	if err := v.encapsulated(); err != nil {
		return err
	}
	der, err := v.small("digest", cbasn1.OCTET_STRING, octetsPieces)
	if err != nil {
		return err
	}
	for range 3 {
		if err := v.leave("DigestedData"); err != nil {
			return err
		}
	}
	in := cryptobyte.String(der)
	var written cryptobyte.String
	in.ReadASN1(&written, cbasn1.OCTET_STRING)
	d.add("inspect.digestAlgorithm", oidName(id.oid))
	d.packaging(&v.report)
	switch sum := v.sums[dig.name]; {
	case !v.report.Attached:
		d.word("inspect.digest", "inspect.unchecked.document")
	case v.listed == nil:
		d.word("inspect.digest", "inspect.unchecked.algorithm")
	case bytes.Equal(sum, written):
		d.word("inspect.digest", "inspect.digest.fits")
	default:
		d.word("inspect.digest", "inspect.digest.differs")
	}
	return v.end()
}

func (d *Description) packaging(r *Report) {
	d.word("inspect.packaging", map[bool]string{true: "inspect.packaging.attached", false: "inspect.packaging.detached"}[r.Attached])
	if r.Attached {
		d.add("inspect.contentSize", strconv.FormatInt(r.ContentSize, 10))
	}
}

func (d *Description) signers(r *Report) {
	d.packaging(r)
	var worst error
	for _, s := range r.Signers {
		one := s.describe()
		if !r.Attached && s.Err == nil {
			one.Holds = nil
		}
		d.Nested = append(d.Nested, one)
		if s.Err != nil && (worst == nil || errors.Is(worst, ErrAlgorithm) || errors.Is(worst, ErrNoCertificate)) {
			worst = s.Err
		}
	}
	if worst != nil || r.Attached {
		d.holds(worst)
	} else {
		d.word("inspect.unchecked", "inspect.unchecked.document")
	}
}

func (s Signer) describe() Description {
	d := Description{Kind: KindSigner}
	if c, err := parseCertificate(s.Certificate); err == nil {
		// A name that cannot be read is missing here and told at the certificate.
		_ = d.name("inspect.subject", c.subject, false)
	}
	d.time("inspect.signingTime", s.SigningTime)
	d.add("inspect.signatureAlgorithm", s.Algorithm)
	if s.Level != "" {
		d.add("inspect.level", "CAdES-"+s.Level+"-"+s.Level)
	}
	d.add("inspect.mediaType", s.MediaType)
	if s.Err != nil && !errors.Is(s.Err, ErrNoCertificate) {
		d.word("inspect.problem", "inspect.problem."+problem(s.Err))
	}
	d.holds(s.Err)
	return d
}

// problem names what is wrong with a signer, for the catalogue.
func problem(err error) string {
	switch {
	case errors.Is(err, ErrAlgorithm):
		return "algorithm"
	case errors.Is(err, ErrDigest):
		return "document"
	case errors.Is(err, ErrCertificate):
		return "certificate"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	}
	return "signature"
}
