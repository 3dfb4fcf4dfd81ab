package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens/gost"
)

// Open checks the password and decrypts everything. The Lock seals the store again: for a Native file it is the file's own.
//
// ErrPassword when the password is wrong. ErrDamaged when the file is broken: also when the integrity check fails although the
// password opens a key. ErrUnsupported when the algorithm is not known.
func (f *File) Open(password []byte) (*Store, *Lock, error) {
	if f.Native {
		return f.openNative(password)
	}
	store, err := f.openForeign(password)
	if err != nil {
		return nil, nil, err
	}
	lock, err := NewLock(password)
	if err != nil {
		store.Wipe()
		return nil, nil, err
	}
	return store, lock, nil
}

func (f *File) openForeign(password []byte) (*Store, error) {
	b := &budget{f.limit}
	if f.mac != nil {
		good, err := f.mac.check(f.content, password, b)
		if err != nil {
			return nil, err
		}
		if !good {
			return nil, f.whyRefused(func(a algorithmIdentifier, ciphertext []byte) ([]byte, error) {
				return decrypt(a, password, ciphertext, b)
			})
		}
	}
	wrong := ErrDamaged
	if f.mac == nil {
		wrong = ErrPassword // nothing but the decryption can tell
	}
	store, err := f.decryptAll(password, b)
	if err != nil {
		if errors.Is(err, errDecrypt) {
			err = wrong
		}
		return nil, err
	}
	return store, nil
}

// decryptAll opens a foreign file. errDecrypt when a plaintext makes no sense.
func (f *File) decryptAll(password []byte, b *budget) (*Store, error) {
	store := &Store{Certificates: append([]Certificate(nil), f.Certificates...), Keys: append([]Key(nil), f.Keys...)}
	for _, safe := range f.safes {
		plain, err := decrypt(safe.algorithm, password, safe.ciphertext, b)
		if err != nil {
			return nil, err
		}
		if err := f.readSafe(store, plain); err != nil {
			return nil, errDecrypt
		}
	}
	for i := range store.Keys {
		key := &store.Keys[i]
		key.Private = bytes.Clone(key.closed.plain)
		if key.closed.plain == nil {
			var err error
			if key.Private, err = decrypt(key.closed.algorithm, password, key.closed.ciphertext, b); err != nil {
				store.Wipe()
				return nil, err
			}
		}
		if !isPrivateKeyInfo(key.Private) {
			store.Wipe()
			return nil, errDecrypt
		}
		if key.Public == nil {
			key.Public = publicOf(key.Private)
		}
		key.closed = nil
	}
	return store, nil
}

// whyRefused tells damage from a wrong password after the MAC has failed: a key or a safe that opens says that the password is right.
func (f *File) whyRefused(open func(algorithm algorithmIdentifier, ciphertext []byte) ([]byte, error)) error {
	damaged := fmt.Errorf("%w: the integrity check fails", ErrDamaged)
	for _, key := range f.Keys {
		if key.closed.plain != nil {
			continue
		}
		plain, err := open(key.closed.algorithm, key.closed.ciphertext)
		if err != nil {
			continue
		}
		good := isPrivateKeyInfo(plain)
		clear(plain)
		if good {
			return damaged
		}
	}
	for _, safe := range f.safes {
		plain, err := open(safe.algorithm, safe.ciphertext)
		if err != nil {
			continue
		}
		_, err = toDER(plain)
		clear(plain)
		if err == nil {
			return damaged
		}
	}
	return ErrPassword
}

// isPrivateKeyInfo tells whether octets look like PKCS#8: SEQUENCE { INTEGER, SEQUENCE, OCTET STRING, ... } and nothing behind.
func isPrivateKeyInfo(octets []byte) bool {
	s := cryptobyte.String(octets)
	var in cryptobyte.String
	var version int
	return s.ReadASN1(&in, cb.SEQUENCE) && s.Empty() && in.ReadASN1Integer(&version) && in.SkipASN1(cb.SEQUENCE) && in.SkipASN1(cb.OCTET_STRING)
}

// publicOf gives the SubjectPublicKeyInfo of a private key, or nil for a kind of key that is not known.
func publicOf(private []byte) []byte {
	if key, err := gost.ParsePrivateKey(private); err == nil {
		defer key.Wipe()
		return key.Public().(*gost.PublicKey).Marshal()
	}
	key, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil
	}
	return der
}
