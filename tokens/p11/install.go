package p11

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens"
)

// Install writes a certificate under its key's CKA_ID, then its issuers without one, and reads each back: ErrModuleFailed when the
// token does not keep one whole. What is there stays as it is; half a certificate is not there.
func (s *session) Install(ctx context.Context, id tokens.KeyID, chain [][]byte) error {
	if len(chain) == 0 {
		return errors.New("install: no certificate")
	}
	fields := make([]certificateFields, len(chain))
	for i, der := range chain {
		var err error
		if fields[i], err = parseFields(der); err != nil {
			return fmt.Errorf("install: certificate %d: %w", i+1, err)
		}
	}
	return s.changing(ctx, "install", func(h pkcs11.SessionHandle) error {
		v, err := s.survey(h)
		if err != nil {
			return err
		}
		k := v.key(id)
		if k == nil || k.private == nil {
			return tokens.ErrNoKey
		}
		for i, der := range chain {
			if v.holds(der) {
				continue
			}
			template := []*pkcs11.Attribute{
				pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE),
				pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
				pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
				pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, fields[i].subject),
				pkcs11.NewAttribute(pkcs11.CKA_ISSUER, fields[i].issuer),
				pkcs11.NewAttribute(pkcs11.CKA_SERIAL_NUMBER, fields[i].serial),
				pkcs11.NewAttribute(pkcs11.CKA_VALUE, der),
			}
			if i == 0 {
				template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, k.cka))
			}
			labelled := template
			if i == 0 && k.Label != "" {
				labelled = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.Label))
			}
			err := s.certify(h, labelled)
			if is(err, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID) {
				err = s.certify(h, template) // NSS has a label stand for one subject
			}
			if i > 0 && is(err, pkcs11.CKR_DEVICE_MEMORY) {
				return nil // the certificate itself is in; issuers can be had elsewhere
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete removes a key pair without a certificate.
func (s *session) Delete(ctx context.Context, id tokens.KeyID) error {
	return s.changing(ctx, "delete", func(h pkcs11.SessionHandle) error {
		list, err := s.m.readObjects(context.Background(), s.ctx, h)
		if err != nil {
			return err
		}
		k := s.piece(h, list).key(id)
		if k == nil || k.private == nil {
			return tokens.ErrNoKey
		}
		mine := func(o object) bool {
			if o.public != nil && k.Public != nil {
				return tokens.SamePublic(o.public, k.Public)
			}
			return len(k.cka) > 0 && bytes.Equal(o.id, k.cka)
		}
		for _, o := range list {
			if o.class == pkcs11.CKO_CERTIFICATE && mine(o) {
				return tokens.ErrInUse
			}
		}
		if len(k.cka) > 0 { // beyond what is read of a token
			beside, err := find(s.ctx, h, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), pkcs11.NewAttribute(pkcs11.CKA_ID, k.cka))
			if err != nil {
				return err
			}
			if len(beside) > 0 {
				return tokens.ErrInUse
			}
		}
		s.forget()
		// The public key goes last: a removal in between leaves a key that can still be named and deleted.
		if err := s.destroy(h, k.private.handle); err != nil {
			return err
		}
		for _, o := range list {
			if o.class == pkcs11.CKO_PUBLIC_KEY && mine(o) {
				if err := s.destroy(h, o.handle); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// DeleteCertificate removes every object that is this certificate.
func (s *session) DeleteCertificate(ctx context.Context, der []byte) error {
	return s.changing(ctx, "delete a certificate", func(h pkcs11.SessionHandle) error {
		list, err := s.m.readObjects(context.Background(), s.ctx, h)
		if err != nil {
			return err
		}
		found := false
		for _, o := range list {
			if o.class != pkcs11.CKO_CERTIFICATE || !bytes.Equal(o.der, der) {
				continue
			}
			if err := s.destroy(h, o.handle); err != nil {
				return err
			}
			found = true
		}
		if !found {
			return tokens.ErrNoCertificate
		}
		return nil
	})
}

func (v *view) holds(der []byte) bool {
	for _, c := range v.certificates {
		if bytes.Equal(c.der, der) {
			return true
		}
	}
	return false
}

// certificateFields are the parts of a certificate that PKCS#11 wants beside it (v2.40, section 4.6.3), and its SubjectPublicKeyInfo, in DER.
type certificateFields struct{ subject, issuer, serial, public []byte }

// parseFields reads only what it must, so that no certificate an authority issued is refused for its other contents.
func parseFields(der []byte) (f certificateFields, err error) {
	input := cryptobyte.String(der)
	var certificate, tbs, element cryptobyte.String
	var tag asn1.Tag
	ok := input.ReadASN1(&certificate, asn1.SEQUENCE) && input.Empty() &&
		certificate.ReadASN1(&tbs, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(asn1.Tag(0).ContextSpecific().Constructed()) // version
	for _, to := range []*[]byte{&f.serial, nil, &f.issuer, nil, &f.subject, &f.public} { // nil: signature algorithm, validity
		if ok = ok && tbs.ReadAnyASN1Element(&element, &tag); ok && to != nil {
			*to = element
		}
	}
	if !ok {
		return f, errors.New("not a certificate in DER")
	}
	return f, nil
}
