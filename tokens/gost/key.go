package gost

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrPoint says that octets given for a public key are no point a key may be: wrong length, a coordinate not below p, off
	// the curve, or not of the order q.
	ErrPoint = errors.New("not a valid GOST R 34.10 public key")
	// ErrScalar says that octets given for a private key are no number from 1 to q-1 of the right length.
	ErrScalar = errors.New("not a valid GOST R 34.10 private key")
	// ErrDigest says that a digest is not as long as the key's scalars: 256-bit keys sign 32 octets, 512-bit keys 64.
	ErrDigest = errors.New("digest length does not fit the GOST R 34.10 key")
)

// PublicKey is a point of a curve, checked when it was made.
type PublicKey struct {
	set    *ParameterSet
	xy     []byte
	is2001 bool // came as a key of GOST R 34.10-2001
}

// NewPublicKey takes a point as SubjectPublicKeyInfo and PKCS#11 carry it: x, then y, each little-endian in set.Size()
// octets. It checks that the point is on the curve, is not the neutral one and has order q. The error is ErrPoint.
func NewPublicKey(set *ParameterSet, xy []byte) (*PublicKey, error) {
	if len(xy) != 2*set.Size() || !set.curve.arithmetic().valid(xy) {
		return nil, fmt.Errorf("%w: %s", ErrPoint, set.name)
	}
	return &PublicKey{set: set, xy: bytes.Clone(xy)}, nil
}

// Set is the parameter set the key came with.
func (k *PublicKey) Set() *ParameterSet { return k.set }

// Bytes is the point as NewPublicKey takes it.
func (k *PublicKey) Bytes() []byte { return bytes.Clone(k.xy) }

// Equal reports whether other is a *PublicKey of the same point on the same curve, whatever name its parameter set has.
func (k *PublicKey) Equal(other crypto.PublicKey) bool {
	o, ok := other.(*PublicKey)
	return ok && k.set.curve == o.set.curve && bytes.Equal(k.xy, o.xy)
}

// PrivateKey is a crypto.Signer. Wipe it when done; a wiped key signs no more.
type PrivateKey struct {
	public *PublicKey
	d      []byte
}

// GenerateKey makes a key from crypto/rand.
func GenerateKey(set *ParameterSet) (*PrivateKey, error) {
	d := make([]byte, set.Size())
	defer clear(d)
	for {
		if _, err := rand.Read(d); err != nil {
			return nil, fmt.Errorf("generate a GOST R 34.10 key: %w", err)
		}
		set.curve.arithmetic().shorten(d)
		k, err := NewPrivateKey(set, d)
		if !errors.Is(err, ErrScalar) {
			return k, err
		}
	}
}

// NewPrivateKey takes a scalar, little-endian in set.Size() octets, from 1 to q-1. The error is ErrScalar. d stays the
// caller's, to be wiped.
func NewPrivateKey(set *ParameterSet, d []byte) (*PrivateKey, error) {
	if len(d) != set.Size() || !set.curve.arithmetic().inRange(d) {
		return nil, fmt.Errorf("%w: %s", ErrScalar, set.name)
	}
	public := &PublicKey{set: set, xy: set.curve.arithmetic().public(d)}
	return &PrivateKey{public: public, d: bytes.Clone(d)}, nil
}

// Public is the *PublicKey.
func (k *PrivateKey) Public() crypto.PublicKey { return k.public }

// Bytes is the scalar, little-endian; the caller wipes it.
func (k *PrivateKey) Bytes() []byte { return bytes.Clone(k.d) }

// Equal reports, in the same time for any scalars, whether other is a *PrivateKey of the same scalar on the same curve.
func (k *PrivateKey) Equal(other crypto.PrivateKey) bool {
	o, ok := other.(*PrivateKey)
	return ok && k.public.set.curve == o.public.set.curve && subtle.ConstantTimeCompare(k.d, o.d) == 1
}

// Wipe overwrites the scalar. Signing fails with ErrScalar afterwards.
func (k *PrivateKey) Wipe() { clear(k.d) }

// Sign is crypto.Signer: it signs digest, octets in the order the hash gives them, and returns s || r, each big-endian in
// Set().Size() octets (RFC 9215 section 2). The reader and the options are not looked at: randomness is crypto/rand's,
// hedged with the key and the digest. Errors: ErrDigest, ErrScalar.
func (k *PrivateKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	set := k.public.set
	if len(digest) != set.Size() {
		return nil, fmt.Errorf("%w: %d octets for %s", ErrDigest, len(digest), set.name)
	}
	curve := set.curve.arithmetic()
	if !curve.inRange(k.d) {
		return nil, fmt.Errorf("%w: wiped", ErrScalar)
	}
	nonces, err := newNonces(set, k.d, digest)
	if err != nil {
		return nil, err
	}
	defer nonces.wipe()
	nonce := make([]byte, set.Size())
	defer clear(nonce)
	for {
		nonces.next(nonce)
		curve.shorten(nonce)
		if !curve.inRange(nonce) {
			continue
		}
		if sig, ok := curve.sign(k.d, digest, nonce); ok {
			return sig, nil
		}
	}
}

// Verify reports whether sig (s || r, as Sign makes it) is the key's signature of digest. A wrong length of either is
// a signature that does not verify.
func (k *PublicKey) Verify(digest, sig []byte) bool {
	n := k.set.Size()
	return len(digest) == n && len(sig) == 2*n && k.set.curve.arithmetic().verify(k.xy, digest, sig)
}
