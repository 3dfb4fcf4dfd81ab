package p11

import (
	"context"
	"encoding/asn1"
	"encoding/hex"
	"fmt"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// Generate makes a key pair with the caller's CKA_ID: token objects, the private one sensitive, not extractable and for signing
// only. Nothing that has that ID already is touched; a pair that fails half-way is taken away again.
func (s *session) Generate(ctx context.Context, spec tokens.KeySpec) (made tokens.Key, err error) {
	cka, err := hex.DecodeString(string(spec.ID))
	if err != nil || len(cka) == 0 {
		return made, fmt.Errorf("generate: %q is no hexadecimal ID", spec.ID)
	}
	kind, size, ok := sizeOf(spec.Algorithm)
	if !ok {
		return made, fmt.Errorf("generate %s: %w", spec.Algorithm, tokens.ErrUnsupported)
	}
	err = s.changing(ctx, "generate", func(h pkcs11.SessionHandle) error {
		there, err := find(s.ctx, h, pkcs11.NewAttribute(pkcs11.CKA_ID, cka))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return tokens.ErrExists
		}
		if made, err = s.make(h, kind, size, cka, spec); err != nil && !gone(err) {
			// crypto11 and some modules fail after the pair was made. Nothing had this ID before. What a removal left is looked for by this ID.
			half, _ := find(s.ctx, h, pkcs11.NewAttribute(pkcs11.CKA_ID, cka))
			for _, o := range half {
				_ = s.ctx.DestroyObject(h, o)
			}
		}
		return err
	})
	return made, err
}

// make makes the pair and looks whether the token shows it.
func (s *session) make(h pkcs11.SessionHandle, kind kind, size size, cka []byte, spec tokens.KeySpec) (made tokens.Key, err error) {
	public, private := templates(cka, spec.Label, !s.m.quirks.Stepwise)
	s.begun = true
	if err := s.makePair(h, kind, size, public, private); err != nil {
		return made, err
	}
	if s.m.quirks.Stepwise {
		if err := s.publishKey(h, cka); err != nil {
			return made, err
		}
	}
	v, err := s.survey(h)
	if err != nil {
		return made, err
	}
	k := v.key(spec.ID)
	if k == nil || k.private == nil || k.Public == nil {
		return made, fmt.Errorf("the token made a key pair and does not show it: %w", tokens.ErrModuleFailed)
	}
	return k.Key, nil
}

// templates are for both halves of a pair; published says that the public one is made on the token at once.
func templates(cka []byte, label string, published bool) (public, private []*pkcs11.Attribute) {
	public = []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ID, cka),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, published),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
	}
	private = []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ID, cka),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
	}
	if label != "" {
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	return public, private
}

// makePair makes the pair, by crypto11 where it could start.
func (s *session) makePair(h pkcs11.SessionHandle, k kind, size size, public, private []*pkcs11.Attribute) error {
	if k.keyType == pkcs11.CKK_RSA && !s.m.quirks.Decrypts {
		public, private = onlySigning(public, private)
	}
	if size.digest != nil {
		return s.makeGOST(h, k, size, public, private)
	}
	if s.engine != nil {
		pub, priv := crypto11.NewAttributeSet(), crypto11.NewAttributeSet()
		pub.AddIfNotPresent(public)
		priv.AddIfNotPresent(private)
		var err error
		if k.keyType == pkcs11.CKK_RSA {
			_, err = s.engine.GenerateRSAKeyPairWithAttributes(pub, priv, size.bits)
		} else {
			_, err = s.engine.GenerateECDSAKeyPairWithAttributes(pub, priv, size.curve)
		}
		return err
	}
	public, private = typed(k, public, private)
	if k.keyType == pkcs11.CKK_RSA {
		public = append(public,
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, size.bits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	} else {
		oid, err := asn1.Marshal(size.oid)
		if err != nil {
			return err
		}
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, oid))
	}
	_, _, err := s.ctx.GenerateKeyPair(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(k.generate, nil)}, public, private)
	return err
}

// makeGOST makes a GOST R 34.10-2012 pair, which crypto11 does not know, under the usual parameter set of its size. Tokens want both parameter
// sets, the curve's and the digest's, in both templates.
func (s *session) makeGOST(h pkcs11.SessionHandle, k kind, size size, public, private []*pkcs11.Attribute) error {
	curve, err := asn1.Marshal(size.oid)
	if err != nil {
		return err
	}
	digest, err := asn1.Marshal(size.digest)
	if err != nil {
		return err
	}
	public, private = typed(k, public, private)
	sets := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_GOSTR3410_PARAMS, curve), pkcs11.NewAttribute(pkcs11.CKA_GOSTR3411_PARAMS, digest)}
	_, _, err = s.ctx.GenerateKeyPair(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(k.generate, nil)}, append(public, sets...), append(private, sets...))
	return err
}

// onlySigning adds what keeps an RSA key from decrypting: CKA_DECRYPT is on by default, in crypto11 and in the modules.
func onlySigning(public, private []*pkcs11.Attribute) (pub, priv []*pkcs11.Attribute) {
	return append(public, pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, false)), append(private, pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false))
}

// typed adds the classes and the key type to both templates.
func typed(k kind, public, private []*pkcs11.Attribute) (pub, priv []*pkcs11.Attribute) {
	pub = append(public, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, k.keyType))
	priv = append(private, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, k.keyType))
	return pub, priv
}
