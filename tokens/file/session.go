package file

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/keystore"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

// session is one open key store. It keeps keys made from the password, not the password.
type session struct {
	folder folder
	name   string

	using sync.RWMutex // held for reading while a key signs, for writing while keys are wiped; taken before mu

	mu      sync.Mutex
	fresh   bool   // the file is made by the first Generate
	data    []byte // the file as it was when store was read
	store   *pkcs12.Store
	lock    *pkcs12.Lock
	signers map[tokens.KeyID]crypto.Signer
	closed  bool
}

// begin opens a key store that has no file yet.
func (d folder) begin(name string, pin *tokens.PIN) (*session, error) {
	if len(pin.Bytes()) < MinPIN {
		return nil, fmt.Errorf("make %s: %w: shorter than %d", name, tokens.ErrPINIncorrect, MinPIN)
	}
	lock, err := keystore.NewLock(pin)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return &session{folder: d, name: name, fresh: true, store: &pkcs12.Store{}, lock: lock, signers: map[tokens.KeyID]crypto.Signer{}}, nil
}

// open checks the PIN of a key store.
func (d folder) open(name string, pin *tokens.PIN) (*session, error) {
	f, data, err := d.parse(name)
	if err != nil {
		return nil, err
	}
	store, lock, err := keystore.Open(f, pin)
	if err != nil {
		return nil, err
	}
	if !f.Native {
		tidy(store)
	}
	return &session{folder: d, name: name, data: data, store: store, lock: lock, signers: map[tokens.KeyID]crypto.Signer{}}, nil
}

// convert rewrites the key store of another program in our layout. Where it cannot be written, the person still signs.
func (s *session) convert(ctx context.Context) {
	if f, err := pkcs12.Parse(s.data); err == nil && !f.Native {
		_ = s.update(ctx, func(*pkcs12.Store) (bool, error) { return true, nil })
	}
}

// Sign implements tokens.Session.
func (s *session) Sign(ctx context.Context, key tokens.KeyID, algorithm tokens.Algorithm, digest []byte) ([]byte, error) {
	s.using.RLock()
	defer s.using.RUnlock()
	signer, err := s.signer(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	out, err := sign(signer, algorithm, digest)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return out, nil
}

// signer finds a key; the file must still be there.
func (s *session) signer(ctx context.Context, id tokens.KeyID) (crypto.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(s.folder.path, s.name)); !s.fresh && errors.Is(err, fs.ErrNotExist) {
		return nil, tokens.ErrRemoved
	}
	if signer, ok := s.signers[id]; ok {
		return signer, nil
	}
	i := find(s.store, id)
	if i < 0 {
		// Another session may have made it.
		if err := s.reload(); err != nil {
			return nil, err
		}
		if i = find(s.store, id); i < 0 {
			return nil, tokens.ErrNoKey
		}
	}
	signer, err := parse(s.store.Keys[i].Private)
	if err != nil {
		return nil, err
	}
	s.signers[id] = signer
	return signer, nil
}

func find(store *pkcs12.Store, id tokens.KeyID) int {
	return slices.IndexFunc(store.Keys, func(k pkcs12.Key) bool { return keyID(k.ID) == id })
}

// usable tells why nothing can be done any more.
func (s *session) usable(ctx context.Context) error {
	if s.closed {
		return fmt.Errorf("session: %w", os.ErrClosed)
	}
	return ctx.Err()
}

// Generate implements tokens.Session. The key is on the disk when it returns.
func (s *session) Generate(ctx context.Context, spec tokens.KeySpec) (tokens.Key, error) {
	id, err := hex.DecodeString(string(spec.ID))
	if err != nil || len(id) == 0 {
		return tokens.Key{}, fmt.Errorf("generate: key ID %q is not hex", spec.ID)
	}
	if err := s.expect(ctx, spec.ID, false); err != nil {
		return tokens.Key{}, fmt.Errorf("generate: %w", err)
	}
	signer, err := generateIn(ctx, spec.Algorithm)
	if err != nil {
		return tokens.Key{}, fmt.Errorf("generate: %w", err)
	}
	defer wipe(signer)
	key := pkcs12.Key{ID: id, Label: spec.Label}
	if key.Public, key.Private, err = marshal(signer); err != nil {
		return tokens.Key{}, fmt.Errorf("generate: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.update(ctx, func(store *pkcs12.Store) (bool, error) {
		if find(store, spec.ID) >= 0 {
			return false, tokens.ErrExists
		}
		store.Keys = append(store.Keys, key)
		return true, nil
	})
	if err != nil {
		clear(key.Private)
		return tokens.Key{}, fmt.Errorf("generate: %w", err)
	}
	return tokens.Key{ID: spec.ID, Algorithm: spec.Algorithm, Public: key.Public, Label: spec.Label}, nil
}

// generateIn makes a key pair, or gives up with ctx: a large RSA key may take seconds.
func generateIn(ctx context.Context, algorithm tokens.KeyAlgorithm) (crypto.Signer, error) {
	type result struct {
		key crypto.Signer
		err error
	}
	done := make(chan result, 1)
	go func() {
		key, err := generate(algorithm)
		done <- result{key, err}
	}()
	select {
	case r := <-done:
		return r.key, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// expect checks early whether a key is there.
func (s *session) expect(ctx context.Context, id tokens.KeyID, there bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	switch found := find(s.store, id) >= 0; {
	case found && !there:
		return tokens.ErrExists
	case !found && there:
		return tokens.ErrNoKey
	}
	return nil
}

// Install implements tokens.Session.
func (s *session) Install(ctx context.Context, id tokens.KeyID, chain [][]byte) error {
	if len(chain) == 0 {
		return errors.New("install: no certificate given")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.update(ctx, func(store *pkcs12.Store) (bool, error) {
		i := find(store, id)
		if i < 0 {
			return false, tokens.ErrNoKey
		}
		key := store.Keys[i]
		if len(key.Public) > 0 && !tokens.SamePublic(key.Public, leaf.RawSubjectPublicKeyInfo) {
			return false, errors.New("the certificate is of another key")
		}
		changed := false
		for n, der := range chain {
			if slices.ContainsFunc(store.Certificates, func(c pkcs12.Certificate) bool { return bytes.Equal(c.DER, der) }) {
				continue
			}
			certificate := pkcs12.Certificate{DER: bytes.Clone(der)}
			if n == 0 {
				certificate.ID, certificate.Label = key.ID, key.Label
			}
			store.Certificates = append(store.Certificates, certificate)
			changed = true
		}
		return changed, nil
	})
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

// Delete implements tokens.Session. The key is in none of our files when it returns.
func (s *session) Delete(ctx context.Context, id tokens.KeyID) error {
	s.using.Lock()
	defer s.using.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.forget(ctx, func(store *pkcs12.Store) (bool, error) {
		i := find(store, id)
		if i < 0 {
			return false, tokens.ErrNoKey
		}
		publics := certificateKeys(store.Certificates)
		for n, certificate := range store.Certificates {
			if owner(store.Keys, certificate, publics[n]) == i {
				return false, tokens.ErrInUse
			}
		}
		clear(store.Keys[i].Private)
		store.Keys = slices.Delete(store.Keys, i, i+1)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if signer, ok := s.signers[id]; ok {
		wipe(signer)
		delete(s.signers, id)
	}
	return nil
}

// DeleteCertificate implements tokens.Session.
func (s *session) DeleteCertificate(ctx context.Context, der []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.update(ctx, func(store *pkcs12.Store) (bool, error) {
		before := len(store.Certificates)
		store.Certificates = slices.DeleteFunc(store.Certificates, func(c pkcs12.Certificate) bool { return bytes.Equal(c.DER, der) })
		if len(store.Certificates) == before {
			return false, tokens.ErrNoCertificate
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("delete a certificate: %w", err)
	}
	return nil
}

// Keys implements tokens.Session.
func (s *session) Keys(ctx context.Context) ([]tokens.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.usable(ctx)
	if err == nil && !s.fresh {
		err = s.reload()
	}
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var keys []tokens.Key
	for _, key := range s.store.Keys {
		keys = append(keys, tokens.Key{ID: keyID(key.ID), Algorithm: algorithmOf(key.Public), Public: key.Public, Label: key.Label})
	}
	return keys, nil
}

// Close implements tokens.Session.
func (s *session) Close() error {
	s.using.Lock()
	defer s.using.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.store.Wipe()
	s.lock.Wipe()
	for _, signer := range s.signers {
		wipe(signer)
	}
	s.signers = nil
	return nil
}
