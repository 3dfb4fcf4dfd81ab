package signature

import (
	"bytes"
	"cmp"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// verify judges one signer. The error is not about the signature but about reaching the document.
func (v *verifier) verify(info *signerInfo) (Signer, error) {
	s := Signer{}
	candidates := v.named(info)
	if len(candidates) > 0 {
		s.Certificate = candidates[0].raw
	}
	d, err := byDigestID(info.digest)
	if err != nil {
		s.Err = err
		return s, nil
	}
	s.Hash = d.hash
	if !v.lists(d) {
		s.Err = malformed("the signer's digest is not in digestAlgorithms")
		return s, nil
	}
	if d.hash == "" && v.external != nil {
		s.Err = fmt.Errorf("%s over a document that is not inside: %w", d.name, ErrAlgorithm)
		return s, nil
	}
	sum, err := v.documentDigest(d)
	if err != nil {
		return s, err
	}
	s.Err = func() error {
		if err := v.describe(&s, info); err != nil {
			return err
		}
		c, err := pick(candidates, info, &s)
		if errors.Is(err, ErrNoCertificate) && info.attributes != nil {
			return cmp.Or(v.content(info, sum), err) // another document is seen without the key
		}
		if err != nil {
			return err
		}
		signed := sum
		if info.attributes == nil {
			err = v.bare(sum)
		} else if err = v.content(info, sum); err == nil {
			h := d.new()
			h.Write(info.signed)
			signed = h.Sum(nil)
		}
		if err != nil {
			return err
		}
		a, err := bySignatureID(info.algorithm, &d)
		if err != nil {
			return err
		}
		s.Algorithm = a.name
		p, err := parsePublic(c.public)
		if err != nil {
			return err
		}
		return check(p, a, signed, info.signature)
	}()
	if s.Err != nil || s.SigningTime.IsZero() || !v.contentType.Equal(oidData) {
		s.Level = ""
	}
	return s, nil
}

// named lists the certificates that the signer identifier fits.
func (v *verifier) named(info *signerInfo) (list []*certificate) {
	for _, c := range slices.Concat(v.certificates, v.known) {
		if info.keyID != nil && bytes.Equal(c.keyID(), info.keyID) ||
			info.keyID == nil && bytes.Equal(c.issuer, info.issuer) && bytes.Equal(c.serial, info.serial) {
			list = append(list, c)
		}
	}
	return list
}

// keyID gives the subject key identifier, nil when there is none.
func (c *certificate) keyID() []byte {
	e, _ := find(c.extensions, oidSubjectKeyID)
	in := cryptobyte.String(e.value)
	var id cryptobyte.String
	if !in.ReadASN1(&id, cbasn1.OCTET_STRING) || !in.Empty() || len(id) == 0 {
		return nil
	}
	return id
}

// value gives the one value of a signed attribute; an attribute used here must not have several.
func (s *signerInfo) value(oid asn1.ObjectIdentifier) (cryptobyte.String, bool, error) {
	a, has := single(s.attributes, oid)
	if !has {
		return nil, false, nil
	}
	if len(a.values) != 1 {
		return nil, false, malformed("attribute " + oid.String())
	}
	return a.values[0], true, nil
}

// describe reads the attributes that are told, not checked.
func (v *verifier) describe(s *Signer, info *signerInfo) error {
	in, has, err := info.value(oidSigningTime)
	if err != nil {
		return err
	}
	if has {
		var ok bool
		if s.SigningTime, ok = readTime(&in); !ok || !in.Empty() {
			s.SigningTime = time.Time{}
			return malformed("signing-time")
		}
	}
	if in, has, err = info.value(oidMimeType); err != nil {
		return err
	}
	if has {
		var text cryptobyte.String
		if !in.ReadASN1(&text, cbasn1.UTF8String) || !in.Empty() || !utf8.Valid(text) {
			return malformed("mime-type")
		}
		s.MediaType = string(text)
	}
	return nil
}

// content checks content-type and message-digest (RFC 5652 sections 11.1 and 11.2).
func (v *verifier) content(info *signerInfo, sum []byte) error {
	in, has, err := info.value(oidContentType)
	var oid asn1.ObjectIdentifier
	if err != nil || !has || !in.ReadASN1ObjectIdentifier(&oid) || !in.Empty() {
		return errors.Join(err, malformed("content-type"))
	}
	if !oid.Equal(v.contentType) {
		return fmt.Errorf("signed as another type of content: %w", ErrInvalid)
	}
	in, has, err = info.value(oidMessageDigest)
	var signed cryptobyte.String
	if err != nil || !has || !in.ReadASN1(&signed, cbasn1.OCTET_STRING) || !in.Empty() {
		return errors.Join(err, malformed("message-digest"))
	}
	if v.undecided && !v.report.Attached {
		return nil
	}
	if len(sum) == 0 || !bytes.Equal(sum, signed) {
		return ErrDigest
	}
	return nil
}

// pick chooses the signer's certificate among those the identifier fits: the one that signing-certificate-v2 names (RFC 5035 section 3).
func pick(candidates []*certificate, info *signerInfo, s *Signer) (*certificate, error) {
	if len(candidates) == 0 {
		return nil, ErrNoCertificate
	}
	in, has, err := info.value(oidSigningCertV2)
	if err != nil {
		return nil, err
	}
	if !has {
		if _, old := single(info.attributes, oidSigningCert); old {
			return nil, fmt.Errorf("certificate named by SHA-1: %w", ErrAlgorithm)
		}
		return candidates[0], nil
	}
	id, err := readESS(in)
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		if id.fits(c) {
			s.Certificate, s.Level = c.raw, "B"
			return c, nil
		}
	}
	return nil, fmt.Errorf("it is not the one that was signed with: %w", ErrCertificate)
}

// essID is the first ESSCertIDv2: that of the signer.
type essID struct {
	digest digest
	hash   []byte
	issuer []byte // Name, nil when issuerSerial is left out
	serial []byte
}

func readESS(in cryptobyte.String) (id essID, err error) {
	bad := malformed("signing-certificate-v2")
	var all, list, one, hash cryptobyte.String
	if !in.ReadASN1(&all, sequenceTag) || !in.Empty() || !all.ReadASN1(&list, sequenceTag) || !list.ReadASN1(&one, sequenceTag) {
		return id, bad
	}
	id.digest = sha256Digest // DEFAULT id-sha256
	if one.PeekASN1Tag(sequenceTag) {
		alg, err := readIdentifier(&one)
		if err != nil {
			return id, err
		}
		if id.digest, err = byDigestID(alg); err != nil {
			return id, err
		}
	}
	if !one.ReadASN1(&hash, cbasn1.OCTET_STRING) {
		return id, bad
	}
	id.hash = hash
	if one.Empty() {
		return id, nil
	}
	var issuerSerial, names, issuer, serial cryptobyte.String
	if !one.ReadASN1(&issuerSerial, sequenceTag) || !one.Empty() ||
		!issuerSerial.ReadASN1(&names, sequenceTag) || !issuerSerial.ReadASN1(&serial, cbasn1.INTEGER) || !issuerSerial.Empty() ||
		!names.ReadASN1(&issuer, tagDirectoryName) || !names.Empty() {
		return id, bad
	}
	id.issuer, id.serial = issuer, serial
	return id, nil
}

func (id essID) fits(c *certificate) bool {
	h := id.digest.new()
	h.Write(c.raw)
	return bytes.Equal(h.Sum(nil), id.hash) &&
		(id.issuer == nil || bytes.Equal(id.issuer, c.issuer) && bytes.Equal(id.serial, c.serial))
}
