package p11

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// maxSignature is that of the largest RSA key met, 8192 bits.
const maxSignature = 1024

// signer is a private key that was found on the token.
type signer struct {
	handle  pkcs11.ObjectHandle
	keyType uint // CKK_
	always  bool
	// Of a GOST key, to hold signatures against; nil when nothing tells it or it may be one of GOST R 34.10-2001, and then it is not signed with.
	gost *gost.PublicKey
}

// signs says whether the key can do a scheme.
func (k signer) signs(alg tokens.Algorithm) bool {
	switch k.keyType {
	case pkcs11.CKK_RSA:
		return alg.Scheme == tokens.RSAPKCS1v15 || alg.Scheme == tokens.RSAPSS
	case pkcs11.CKK_EC:
		return alg.Scheme == tokens.ECDSA
	case pkcs11.CKK_GOSTR3410:
		return alg.Scheme == tokens.GOST && alg.Hash == tokens.Streebog256 && k.gost != nil
	case ckkGOST512:
		return alg.Scheme == tokens.GOST && alg.Hash == tokens.Streebog512 && k.gost != nil
	}
	return false
}

// hash is what PKCS#11 and PKCS #1 call a hash. The prefix is the DER DigestInfo up to the digest (RFC 8017 section 9.2, note 1).
type hash struct {
	hash   tokens.Hash
	hashID uint // CKM_
	mgf    uint // CKG_
	prefix []byte
}

var hashes = []hash{
	{tokens.SHA256, pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256,
		[]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
	{tokens.SHA384, pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384,
		[]byte{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
	{tokens.SHA512, pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512,
		[]byte{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
}

// mechanism says how the token signs a digest under an algorithm, and what it is given.
func mechanism(alg tokens.Algorithm, digest []byte) (*pkcs11.Mechanism, []byte, error) {
	if alg.Scheme == tokens.GOST {
		return gostMechanism(alg, digest)
	}
	if alg.TokenHash {
		return nil, nil, fmt.Errorf("sign: %w", tokens.ErrUnsupported)
	}
	for _, h := range hashes {
		if h.hash != alg.Hash {
			continue
		}
		if len(digest) != h.hash.Size() {
			return nil, nil, fmt.Errorf("sign: a digest of %d octets is not %v", len(digest), h.hash)
		}
		switch alg.Scheme {
		case tokens.RSAPKCS1v15:
			return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), append(h.prefix[:len(h.prefix):len(h.prefix)], digest...), nil
		case tokens.RSAPSS:
			params := pkcs11.NewPSSParams(h.hashID, h.mgf, uint(len(digest)))
			return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, params), digest, nil
		case tokens.ECDSA:
			return pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest, nil
		}
	}
	return nil, nil, fmt.Errorf("sign: %w", tokens.ErrUnsupported)
}

// Sign signs a digest with a key, or the message with a GOST key whose token makes the digest. A GOST signature is held against the public
// key before it is given away: tokens.ErrSignature or tokens.ErrByteOrder when it does not hold, ErrUnsupported for a key whose public part nothing
// on the token tells.
func (s *session) Sign(ctx context.Context, id tokens.KeyID, alg tokens.Algorithm, digest []byte) ([]byte, error) {
	mech, data, err := mechanism(alg, digest)
	if err != nil {
		return nil, err
	}
	signature, err := wait(ctx, func() (signature []byte, err error) {
		err = s.call("sign", func() error {
			signature, err = s.sign(ctx, id, alg, mech, data)
			return err
		})
		return signature, err
	})
	if err != nil || alg.Scheme != tokens.ECDSA {
		return signature, err
	}
	return ecdsaDER(signature)
}

func (s *session) sign(ctx context.Context, id tokens.KeyID, alg tokens.Algorithm, mech *pkcs11.Mechanism, data []byte) ([]byte, error) {
	h, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.find(h, id)
	if err != nil {
		s.drop(h)
		return nil, err
	}
	if !k.signs(alg) { // modules have all kinds of answers to this
		s.put(h)
		return nil, tokens.ErrUnsupported
	}
	var signature []byte
	if k.always {
		signature, err = s.signAlone(ctx, h, k, mech, data)
	} else {
		if err = s.ctx.SignInit(h, []*pkcs11.Mechanism{mech}, k.handle); err == nil {
			signature, err = s.finish(h, data)
		}
	}
	if err != nil {
		if is(err, pkcs11.CKR_KEY_HANDLE_INVALID) || is(err, pkcs11.CKR_OBJECT_HANDLE_INVALID) {
			s.forget()
		}
		s.drop(h)
		return nil, err
	}
	s.put(h)
	if len(signature) > maxSignature { // more than the library has: what lay behind it in this process's memory must not leave
		return nil, fmt.Errorf("a signature of %d octets: %w", len(signature), tokens.ErrModuleFailed)
	}
	if k.gost != nil {
		if err := checkGOST(k.gost, alg, data, signature); err != nil {
			return nil, err
		}
	}
	return signature, nil
}

// signAlone signs with a key that always authenticates: C_SignInit, C_Login(CKU_CONTEXT_SPECIFIC), C_Sign (v2.40, section 5.6). The PIN
// is asked for before C_SignInit, so that no operation stands open on the card while a person thinks.
func (s *session) signAlone(ctx context.Context, h pkcs11.SessionHandle, k signer, mech *pkcs11.Mechanism, data []byte) ([]byte, error) {
	s.alone.Lock()
	defer s.alone.Unlock()
	if s.again == nil {
		return nil, tokens.ErrNoWindow
	}
	pin, err := s.again(ctx)
	if err != nil {
		return nil, err
	}
	defer pin.Wipe()
	if s.pad {
		pin.Wipe()
		pin = nil
	} else if pin == nil || len(pin.Bytes()) == 0 {
		return nil, fmt.Errorf("no PIN for a key that always authenticates: %w", tokens.ErrCancelled)
	}
	if err := s.usable(); err != nil {
		return nil, err
	}
	if err := s.ctx.SignInit(h, []*pkcs11.Mechanism{mech}, k.handle); err != nil {
		return nil, err
	}
	if err := login(s.ctx, h, pkcs11.CKU_CONTEXT_SPECIFIC, pin); err != nil {
		return nil, failed("login", err)
	}
	return s.finish(h, data)
}

// finish is C_Sign.
func (s *session) finish(h pkcs11.SessionHandle, data []byte) ([]byte, error) {
	signature, err := s.ctx.Sign(h, data)
	return signature, whenBegun(err)
}

// forget drops the handles that were found: they are found anew.
func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.found)
}

// find gives the private key of an ID.
func (s *session) find(h pkcs11.SessionHandle, id tokens.KeyID) (signer, error) {
	s.mu.Lock()
	k, ok := s.found[id]
	s.mu.Unlock()
	if ok {
		return k, nil
	}
	k, ok, err := s.findByCKA(h, id)
	if err != nil {
		return k, err
	}
	if !ok {
		v, err := s.survey(h)
		if err != nil {
			return k, err
		}
		whole := v.key(id)
		if whole == nil || whole.private == nil {
			return k, tokens.ErrNoKey
		}
		k = signer{handle: whole.private.handle, keyType: whole.private.keyType, always: whole.private.always}
		if whole.Algorithm.IsGOST() && belongs(whole.Algorithm, k.keyType) {
			k.gost, _ = gost.ParsePublicKey(whole.Public) // nil with an error
		}
	}
	s.mu.Lock()
	s.found[id] = k
	s.mu.Unlock()
	return k, nil
}

// findByCKA finds a key by CKA_ID where that names one private key: the usual case, without reading the whole token.
func (s *session) findByCKA(h pkcs11.SessionHandle, id tokens.KeyID) (signer, bool, error) {
	cka, err := hex.DecodeString(string(id))
	if err != nil || len(cka) == 0 {
		return signer{}, false, nil
	}
	handles, err := find(s.ctx, h, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, cka))
	if err != nil || len(handles) != 1 {
		return signer{}, false, err
	}
	r := &reader{ctx: s.ctx, h: h, handle: handles[0]}
	k := signer{handle: handles[0], always: r.flag(pkcs11.CKA_ALWAYS_AUTHENTICATE, false)}
	k.keyType, _ = r.number(pkcs11.CKA_KEY_TYPE)
	// A GOST key signs only beside its public key, and that may be told by a certificate under another ID.
	return k, k.keyType == pkcs11.CKK_RSA || k.keyType == pkcs11.CKK_EC, r.gone
}

// tryOut tells by a signature which of several public keys belongs to a private EC or GOST key that shares its CKA_ID and does not tell its
// public part. The signature is over a digest of ours and goes nowhere.
func (s *session) tryOut(h pkcs11.SessionHandle, private *object, candidates []object) *object {
	if private.always {
		return nil
	}
	alg := tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}
	switch private.keyType {
	case pkcs11.CKK_GOSTR3410:
		alg = tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256, TokenHash: s.hashes}
	case ckkGOST512:
		alg = tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog512, TokenHash: s.hashes}
	}
	question := []byte("which key is this")
	if !alg.TokenHash {
		h := alg.Hash.New()
		h.Write(question)
		question = h.Sum(nil)
	}
	mech, data, err := mechanism(alg, question)
	if err != nil || s.ctx.SignInit(h, []*pkcs11.Mechanism{mech}, private.handle) != nil {
		return nil
	}
	raw, err := s.ctx.Sign(h, data)
	if err != nil {
		return nil
	}
	for i := range candidates {
		if answers(candidates[i].public, alg, data, raw) {
			return &candidates[i]
		}
	}
	return nil
}

// answers says whether a token's signature, as it came, is that of a public key.
func answers(spki []byte, alg tokens.Algorithm, data, raw []byte) bool {
	if public, err := gost.ParsePublicKey(spki); err == nil {
		return alg.Scheme == tokens.GOST && checkGOST(public, alg, data, raw) == nil
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil || alg.Scheme != tokens.ECDSA {
		return false
	}
	p, ok := public.(*ecdsa.PublicKey)
	signature, err := ecdsaDER(raw)
	return ok && err == nil && ecdsa.VerifyASN1(p, data, signature)
}

// key finds a key by ID.
func (v *view) key(id tokens.KeyID) *key {
	for _, k := range v.keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// ecdsaDER turns r||s, each half the octets (PKCS#11 v2.40 mechanisms, section 2.3.1), into DER SEQUENCE{r, s} (RFC 3279 section 2.2.3).
func ecdsaDER(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("sign: the token's ECDSA signature has %d octets: %w", len(raw), tokens.ErrModuleFailed)
	}
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}
