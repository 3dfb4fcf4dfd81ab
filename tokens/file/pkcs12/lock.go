package pkcs12

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
)

// How much work a guess at the password costs. A thief guesses through the cheaper of the two derivations, so they cost the same:
// 300,000 SHA-256 compressions each (PBKDF2 takes two an iteration, the PKCS#12 derivation one), about 25 ms with SHA
// instructions and 150 ms without. More would not be read by .NET, whose loader allows 300,000 for the MAC, as many for a
// key and 1,000,000 for all keys together, each key counted by itself.
const (
	keyIterations = 150_000
	macIterations = 300_000
	saltSize      = 16
	keySize       = 32
)

// Lock is a password turned into keys: it opens and seals one file again and again without the password.
type Lock struct {
	salt          []byte
	iterations    int
	key           []byte
	macSalt       []byte
	macIterations int
	macKey        []byte
}

// NewLock makes a lock for a new file.
func NewLock(password []byte) (*Lock, error) {
	l := &Lock{salt: make([]byte, saltSize), iterations: keyIterations, macSalt: make([]byte, saltSize), macIterations: macIterations}
	_, _ = rand.Read(l.salt) // never fails
	_, _ = rand.Read(l.macSalt)
	if err := l.derive(password); err != nil {
		return nil, err
	}
	return l, nil
}

// derive fills in the two keys, side by side.
func (l *Lock) derive(password []byte) error {
	bmp, err := bmpPassword(password)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	wait.Go(func() { l.macKey = derive(sha256.New, forMAC, bmp, l.macSalt, l.macIterations, sha256.Size) })
	l.key, err = stretchPassword(sha256.New, password, l.salt, l.iterations, keySize)
	wait.Wait()
	clear(bmp)
	return err
}

// Wipe overwrites the keys; the lock is of no use afterwards.
func (l *Lock) Wipe() {
	clear(l.key)
	clear(l.macKey)
}

// isNative tells whether the file is exactly what Seal writes.
func (f *File) isNative(checked bool) bool {
	if f.mac == nil || !f.mac.digest.id.Equal(oidSHA256) || f.mac.iterations < 1 || f.mac.iterations > f.limit || len(f.safes) > 0 ||
		!checked && f.bags > 0 {
		return false
	}
	for _, key := range f.Keys {
		p, ok := key.closed.lockParams()
		first, _ := f.Keys[0].closed.lockParams()
		if !ok || len(key.ID) == 0 || !bytes.Equal(p.salt, first.salt) || p.iterations != first.iterations ||
			p.iterations < 1 || p.iterations > f.limit {
			return false
		}
	}
	return true
}

// lockParams gives the key derivation of a key that Seal closed.
func (k *shrouded) lockParams() (pbkdf2Params, bool) {
	if k.plain != nil || !k.algorithm.id.Equal(oidPBES2) {
		return pbkdf2Params{}, false
	}
	kdf, enc, err := readPBES2(k.algorithm.params)
	return kdf, err == nil && kdf.prf.Equal(oidHMACSHA256) && (kdf.keySize == 0 || kdf.keySize == keySize) && enc.id.Equal(oidAES256CBC)
}

func (f *File) openNative(password []byte) (*Store, *Lock, error) {
	l := &Lock{salt: make([]byte, saltSize), iterations: keyIterations, macSalt: f.mac.salt, macIterations: f.mac.iterations}
	_, _ = rand.Read(l.salt)
	if len(f.Keys) > 0 {
		kdf, _ := f.Keys[0].closed.lockParams()
		l.salt, l.iterations = kdf.salt, kdf.iterations
	}
	if err := l.derive(password); err != nil {
		return nil, nil, err
	}
	if !l.verifies(f) {
		defer l.Wipe()
		return nil, nil, f.whyRefused(l.open)
	}
	store, err := f.OpenWith(l)
	if err != nil {
		l.Wipe()
		return nil, nil, err
	}
	return store, l, nil
}

// OpenWith opens a Native file again with the lock of an earlier reading. ErrChanged when it was sealed under another lock since.
func (f *File) OpenWith(l *Lock) (*Store, error) {
	if !f.Native || !bytes.Equal(f.mac.salt, l.macSalt) || f.mac.iterations != l.macIterations {
		return nil, ErrChanged
	}
	if !l.verifies(f) {
		return nil, fmt.Errorf("%w: the integrity check fails", ErrDamaged)
	}
	store := &Store{Certificates: f.Certificates}
	for _, key := range f.Keys {
		if kdf, _ := key.closed.lockParams(); !bytes.Equal(kdf.salt, l.salt) || kdf.iterations != l.iterations {
			store.Wipe()
			return nil, ErrChanged
		}
		private, err := l.open(key.closed)
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
	h := hmac.New(sha256.New, l.macKey)
	h.Write(f.content)
	return hmac.Equal(h.Sum(nil), f.mac.value)
}

func (l *Lock) open(k *shrouded) ([]byte, error) {
	_, enc, err := readPBES2(k.algorithm.params)
	if err != nil {
		return nil, err
	}
	return openAES(l.key, enc.params, k.ciphertext)
}
