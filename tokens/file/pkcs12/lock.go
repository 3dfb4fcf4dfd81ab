package pkcs12

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"sync"
)

const (
	saltSize = 16
	keySize  = 32
)

// Lock is a password turned into keys: it opens and seals one file again and again without the password. It has the keys of both families,
// since the first GOST key in a file, or the last that goes, changes the file's. Both go by the same salts, so that each of two programs that opened
// a file can read it after the other has changed its family.
type Lock struct {
	salt, macSalt []byte
	secrets       [families]secrets
}

// secrets are the keys of one family.
type secrets struct {
	ready                     sync.WaitGroup
	iterations, macIterations int
	key, macKey               []byte
}

// NewLock makes a lock for a new file.
func NewLock(password []byte) (*Lock, error) {
	l := newLock()
	return l, l.deriveAll(password)
}

// newLock has salts and iterations, and no keys.
func newLock() *Lock {
	l := &Lock{salt: make([]byte, saltSize), macSalt: make([]byte, saltSize)}
	_, _ = rand.Read(l.salt) // never fails
	_, _ = rand.Read(l.macSalt)
	for f := range families {
		l.secrets[f].iterations, l.secrets[f].macIterations = f.iterations()
	}
	return l
}

// deriveAll starts to make all keys; who needs them waits. A login would else take the time of a family that it does not need.
func (l *Lock) deriveAll(password []byte) error {
	for f := range families {
		if err := l.derive(f, password); err != nil {
			return err
		}
	}
	return nil
}

// derive starts to make the two keys of a family, side by side.
func (l *Lock) derive(f family, password []byte) error {
	bmp, err := bmpPassword(password)
	if err != nil {
		return err
	}
	s, password := &l.secrets[f], bytes.Clone(password)
	s.ready.Go(func() {
		defer clear(password)
		defer clear(bmp)
		var wait sync.WaitGroup
		wait.Go(func() { s.macKey = f.macKey(password, bmp, l.macSalt, s.macIterations) })
		s.key, _ = stretchPassword(f.hash(), password, l.salt, s.iterations, keySize) // it refuses sizes only
		wait.Wait()
	})
	return nil
}

// of gives the keys of a family.
func (l *Lock) of(f family) *secrets {
	s := &l.secrets[f]
	s.ready.Wait()
	return s
}

// Wipe overwrites the keys; the lock is of no use afterwards.
func (l *Lock) Wipe() {
	for f := range families {
		s := l.of(f)
		clear(s.key)
		clear(s.macKey)
	}
}

// native tells whether the file is exactly what Seal writes, and in which family.
func (f *File) native(checked bool) (family, bool) {
	if f.mac == nil || len(f.safes) > 0 || !checked && f.bags > 0 {
		return 0, false
	}
	of := common
	if f.mac.digest.id.Equal(oidStreebog512) {
		of = russian
	}
	most := f.limit / of.cost()
	if !f.mac.digest.id.Equal(of.digest()) || f.mac.iterations < 1 || f.mac.iterations > most {
		return 0, false
	}
	for _, key := range f.Keys {
		p, ok := key.closed.lockParams(of)
		first, _ := f.Keys[0].closed.lockParams(of)
		if !ok || len(key.ID) == 0 || !bytes.Equal(p.salt, first.salt) || p.iterations != first.iterations ||
			p.iterations < 1 || p.iterations > most {
			return 0, false
		}
	}
	return of, true
}

// lockParams gives the key derivation of a key that Seal closed.
func (k *shrouded) lockParams(f family) (pbkdf2Params, bool) {
	if k.plain != nil || !k.algorithm.id.Equal(oidPBES2) {
		return pbkdf2Params{}, false
	}
	kdf, enc, err := readPBES2(k.algorithm.params)
	return kdf, err == nil && kdf.prf.Equal(f.prf()) && (kdf.keySize == 0 || kdf.keySize == keySize) && enc.id.Equal(f.cipher())
}

func (f *File) openNative(password []byte) (*Store, *Lock, error) {
	l := newLock()
	s := &l.secrets[f.family]
	l.macSalt, s.macIterations = f.mac.salt, f.mac.iterations
	if len(f.Keys) > 0 {
		kdf, _ := f.Keys[0].closed.lockParams(f.family)
		l.salt, s.iterations = kdf.salt, kdf.iterations
	}
	if err := l.derive(f.family, password); err != nil {
		return nil, nil, err
	}
	if !l.verifies(f) {
		defer l.Wipe()
		return nil, nil, f.whyRefused(func(a algorithmIdentifier, ciphertext []byte) ([]byte, error) { return l.open(f.family, a, ciphertext) })
	}
	store, err := f.OpenWith(l)
	if err != nil {
		l.Wipe()
		return nil, nil, err
	}
	for other := range families {
		if other != f.family {
			_ = l.derive(other, password) // it is the password that has just opened the file
		}
	}
	return store, l, nil
}

// OpenWith opens a Native file again with the lock of an earlier reading. ErrChanged when it was sealed under another lock since.
func (f *File) OpenWith(l *Lock) (*Store, error) {
	if !f.Native || !bytes.Equal(f.mac.salt, l.macSalt) || f.mac.iterations != l.secrets[f.family].macIterations {
		return nil, ErrChanged
	}
	if !l.verifies(f) {
		return nil, fmt.Errorf("%w: the integrity check fails", ErrDamaged)
	}
	store := &Store{Certificates: f.Certificates}
	for _, key := range f.Keys {
		if kdf, _ := key.closed.lockParams(f.family); !bytes.Equal(kdf.salt, l.salt) || kdf.iterations != l.secrets[f.family].iterations {
			store.Wipe()
			return nil, ErrChanged
		}
		private, err := l.open(f.family, key.closed.algorithm, key.closed.ciphertext)
		if err != nil || !isPrivateKeyInfo(private) {
			clear(private)
			store.Wipe()
			return nil, fmt.Errorf("%w: key %x", ErrDamaged, key.ID)
		}
		store.Keys = append(store.Keys, Key{ID: key.ID, Label: key.Label, Public: key.Public, Private: private})
	}
	return store, nil
}

func (l *Lock) verifies(f *File) bool {
	h := hmac.New(f.family.hash(), l.of(f.family).macKey)
	h.Write(f.content)
	return hmac.Equal(h.Sum(nil), f.mac.value)
}

func (l *Lock) open(f family, a algorithmIdentifier, ciphertext []byte) ([]byte, error) {
	_, enc, err := readPBES2(a.params)
	if err != nil {
		return nil, err
	}
	return f.decrypt(l.of(f).key, enc.params, ciphertext)
}
