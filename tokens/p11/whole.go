package p11

import (
	"bytes"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// attempts is how often an object is written that the token did not keep whole.
const attempts = 3

// certify writes a certificate, whole: what is asked for in template but CKA_TOKEN.
func (s *session) certify(h pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	on := func(token bool) (pkcs11.ObjectHandle, error) {
		return s.create(h, append(template[:len(template):len(template)], pkcs11.NewAttribute(pkcs11.CKA_TOKEN, token)))
	}
	write := func() (pkcs11.ObjectHandle, error) { return on(true) }
	if s.m.quirks.Stepwise {
		draft, err := on(false)
		if err != nil {
			return err
		}
		defer s.ctx.DestroyObject(h, draft)
		write = func() (pkcs11.ObjectHandle, error) { return s.publish(h, draft) }
	}
	return s.keep(h, write, func(handle pkcs11.ObjectHandle) (bool, error) {
		r := &reader{ctx: s.ctx, h: h, handle: handle}
		for _, a := range template {
			switch a.Type {
			case pkcs11.CKA_VALUE:
				if !bytes.Equal(r.octets(a.Type), a.Value) {
					return false, r.gone
				}
			case pkcs11.CKA_SUBJECT, pkcs11.CKA_ID: // a card may have them its own way, but not leave them out
				if len(r.octets(a.Type)) == 0 {
					return false, r.gone
				}
			}
		}
		return true, r.gone
	})
}

// publishKey puts a public key that was made in the session on the token, whole.
func (s *session) publishKey(h pkcs11.SessionHandle, cka []byte) error {
	drafts, err := find(s.ctx, h, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, cka))
	if err != nil {
		return err
	}
	if len(drafts) != 1 {
		return fmt.Errorf("%d public keys of one pair: %w", len(drafts), tokens.ErrModuleFailed)
	}
	defer s.ctx.DestroyObject(h, drafts[0])
	draft, _, err := readObject(s.ctx, h, drafts[0], pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return err
	}
	write := func() (pkcs11.ObjectHandle, error) { return s.publish(h, draft.handle) }
	return s.keep(h, write, func(handle pkcs11.ObjectHandle) (bool, error) {
		o, ok, err := readObject(s.ctx, h, handle, pkcs11.CKO_PUBLIC_KEY)
		return ok && o.public != nil && bytes.Equal(o.public, draft.public) && bytes.Equal(o.id, cka), err
	})
}

// publish copies an object of the session to the token. SoftHSM makes a new object attribute by attribute in its file, and a process that
// reads the half writes what it read, with its defaults, over the whole; a copy gets its attributes at once (cards.Quirks, Stepwise).
func (s *session) publish(h pkcs11.SessionHandle, draft pkcs11.ObjectHandle) (pkcs11.ObjectHandle, error) {
	return s.ctx.CopyObject(h, draft, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)})
}

// keep writes an object and reads it back. What the token took and does not show whole is taken away and written again, a few times.
func (s *session) keep(h pkcs11.SessionHandle, write func() (pkcs11.ObjectHandle, error), whole func(pkcs11.ObjectHandle) (bool, error)) error {
	for range attempts {
		handle, err := write()
		if err != nil {
			return err
		}
		ok, err := whole(handle)
		if ok || err != nil {
			return err
		}
		if s.destroy(h, handle) != nil {
			break // one half is enough
		}
	}
	return fmt.Errorf("the token does not keep what it took: %w", tokens.ErrModuleFailed)
}
