package p11

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/keystore"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

// mostIssuers is how many certificates above a key's own are written: more than any chain has.
const mostIssuers = 8

// keyStore is an open PKCS#12 file. It implements tokens.KeyStore.
type keyStore struct{ store *pkcs12.Store }

// OpenKeyStore implements tokens.ImportModule. Nothing of the token is touched.
func (m *Module) OpenKeyStore(_ context.Context, path string, password *tokens.PIN) (tokens.KeyStore, error) {
	name := filepath.Base(path)
	f, _, err := keystore.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	store, lock, err := keystore.Open(f, password)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	lock.Wipe()
	if len(store.Keys) == 0 {
		return nil, fmt.Errorf("%s: %w", name, tokens.ErrNoKey)
	}
	return &keyStore{store}, nil
}

// Contents implements tokens.KeyStore.
func (k *keyStore) Contents() (keys int, certificates [][]byte) {
	for _, c := range k.store.Certificates {
		if f, err := parseFields(c.DER); err == nil && k.held(f.public) {
			certificates = append(certificates, c.DER)
		}
	}
	return len(k.store.Keys), certificates
}

// Wipe implements tokens.KeyStore.
func (k *keyStore) Wipe() { k.store.Wipe() }

// Import implements tokens.KeyStore.
func (k *keyStore) Import(ctx context.Context, to tokens.Session) (err error) {
	s, ok := to.(*session)
	if !ok {
		return errors.New("import: a session of another store")
	}
	bundles := make([]bundle, len(k.store.Keys))
	for i, key := range k.store.Keys { // all that can be refused is refused before anything is written
		if bundles[i], err = k.bundle(key); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	var written []pkcs11.ObjectHandle
	var certified [][]byte
	defer func() {
		if err != nil {
			err = errors.Join(err, s.takeBack(written, certified))
		}
	}()
	for _, b := range bundles {
		made, err := s.bring(ctx, b)
		written = append(written, made...)
		if err != nil {
			return err
		}
		fresh, err := s.missing(ctx, append(b.leaves[:len(b.leaves):len(b.leaves)], b.issuers...))
		if err != nil {
			return err
		}
		id, err := s.named(ctx, b)
		if err != nil {
			return err
		}
		certified = append(certified, fresh...)
		for _, leaf := range b.leaves {
			if err := s.Install(ctx, id, append([][]byte{leaf}, b.issuers...)); err != nil {
				return err
			}
		}
		if err := s.prove(ctx, id, b.algorithm, b.public); err != nil {
			return err
		}
	}
	return nil
}

// bundle is one key with its certificates as they go to the token.
type bundle struct {
	algorithm tokens.KeyAlgorithm
	public    []byte // SubjectPublicKeyInfo
	cka       []byte
	label     string
	parts     keyParts
	leaves    [][]byte // its own certificates
	issuers   [][]byte // theirs, as far as the file has them
}

func (k *keyStore) bundle(key pkcs12.Key) (b bundle, err error) {
	b = bundle{label: key.Label, cka: key.ID}
	if b.algorithm, b.public = describeSPKI(key.Public); b.algorithm == "" {
		return b, fmt.Errorf("a key of a kind that Pero does not sign with: %w", tokens.ErrUnsupported)
	}
	if b.parts, err = partsOf(key.Private); err != nil {
		return b, err
	}
	if len(b.cka) == 0 {
		id := sha1.Sum(b.public) // as most programs make it
		b.cka = id[:]
	}
	var wanted [][]byte // names of issuers
	for _, c := range k.store.Certificates {
		if f, err := parseFields(c.DER); err == nil && tokens.SamePublic(f.public, key.Public) {
			b.leaves = append(b.leaves, c.DER)
			wanted = append(wanted, f.issuer)
		}
	}
	b.issuers = k.issuers(wanted)
	return b, nil
}

// issuers follows the names upwards: whatever else lies in the file has nothing to do on a token.
func (k *keyStore) issuers(wanted [][]byte) (list [][]byte) {
	taken := map[int]bool{}
	for n := 0; n < len(wanted); n++ {
		for i, c := range k.store.Certificates {
			f, err := parseFields(c.DER)
			if err != nil || taken[i] || k.held(f.public) || !bytes.Equal(f.subject, wanted[n]) {
				continue
			}
			if len(list) == mostIssuers {
				return list
			}
			taken[i] = true
			list, wanted = append(list, c.DER), append(wanted, f.issuer)
		}
	}
	return list
}

// held tells whether a public key is of one of the keys in the file.
func (k *keyStore) held(public []byte) bool {
	return slices.ContainsFunc(k.store.Keys, func(key pkcs12.Key) bool { return tokens.SamePublic(public, key.Public) })
}

// bring writes both halves of a key and gives the objects that it made, also when it fails.
func (s *session) bring(ctx context.Context, b bundle) (made []pkcs11.ObjectHandle, err error) {
	err = s.changing(ctx, "import", func(h pkcs11.SessionHandle) error {
		s.forget()
		v, err := s.survey(h)
		if err != nil {
			return err
		}
		for _, k := range v.keys {
			if k.private != nil && (tokens.SamePublic(k.Public, b.public) || bytes.Equal(k.cka, b.cka)) {
				return tokens.ErrExists
			}
		}
		public, private := templates(b.cka, b.label, true)
		public, private = append(public, b.parts.public...), append(private, b.parts.private...)
		kind, _, _ := sizeOf(b.algorithm)
		public, private = typed(kind, public, private)
		if kind.keyType == pkcs11.CKK_RSA {
			public, private = onlySigning(public, private)
		}
		one, err := s.place(h, private)
		if err != nil {
			return refusedKey(err)
		}
		made = append(made, one)
		// Cards that make the public object themselves take none; a certificate tells the public key too.
		if one, err = s.place(h, public); err == nil {
			made = append(made, one)
		} else if len(b.leaves) == 0 {
			return refusedKey(err)
		}
		return nil
	})
	return made, err
}

// place makes an object on the token, at once where the library would make it attribute by attribute.
func (s *session) place(h pkcs11.SessionHandle, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	if !s.m.quirks.Stepwise {
		return s.create(h, template)
	}
	own := make([]*pkcs11.Attribute, len(template))
	for i, a := range template {
		if own[i] = a; a.Type == pkcs11.CKA_TOKEN {
			own[i] = pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)
		}
	}
	draft, err := s.create(h, own)
	if err != nil {
		return 0, err
	}
	defer s.ctx.DestroyObject(h, draft)
	return s.publish(h, draft)
}

// refusedKey names what tokens say that take no key made elsewhere.
func refusedKey(err error) error {
	for _, code := range []pkcs11.Error{pkcs11.CKR_TEMPLATE_INCONSISTENT, pkcs11.CKR_TEMPLATE_INCOMPLETE, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID,
		pkcs11.CKR_ATTRIBUTE_VALUE_INVALID, pkcs11.CKR_ATTRIBUTE_READ_ONLY, pkcs11.CKR_FUNCTION_NOT_SUPPORTED} {
		if is(err, code) {
			return fmt.Errorf("%w: %w", err, tokens.ErrUnsupported)
		}
	}
	return err
}

// missing gives those certificates that the token does not hold yet.
func (s *session) missing(ctx context.Context, chain [][]byte) (list [][]byte, err error) {
	_, err = wait(ctx, func() (struct{}, error) {
		return struct{}{}, s.call("import", func() error {
			v, err := s.survey(s.anchor)
			if err != nil {
				return err
			}
			for _, der := range chain {
				if !v.holds(der) {
					list = append(list, der)
				}
			}
			return nil
		})
	})
	return list, err
}

// named finds the key that was brought by the name it has from now on.
func (s *session) named(ctx context.Context, b bundle) (tokens.KeyID, error) {
	keys, err := s.Keys(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if tokens.SamePublic(k.Public, b.public) || k.Public == nil && string(k.ID) == hex.EncodeToString(b.cka) {
			return k.ID, nil
		}
	}
	return "", fmt.Errorf("import: the token took a key and does not show it: %w", tokens.ErrStorage)
}

// prove has the key sign and holds the signature against the public key.
func (s *session) prove(ctx context.Context, id tokens.KeyID, algorithm tokens.KeyAlgorithm, public []byte) error {
	message := make([]byte, 64)
	_, _ = rand.Read(message)
	alg := tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}
	how := x509.ECDSAWithSHA256
	switch kind, _, _ := sizeOf(algorithm); {
	case algorithm.IsGOST():
		alg = tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.HashOf(algorithm), TokenHash: s.hashes}
	case kind.keyType == pkcs11.CKK_RSA:
		alg.Scheme, how = tokens.RSAPKCS1v15, x509.SHA256WithRSA
	}
	data := message
	if !alg.TokenHash {
		h := alg.Hash.New()
		h.Write(message)
		data = h.Sum(nil)
	}
	signature, err := s.Sign(ctx, id, alg, data)
	if err != nil || algorithm.IsGOST() { // Sign has held that one already
		return err
	}
	key, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return err
	}
	if err := (&x509.Certificate{PublicKey: key}).CheckSignature(how, message, signature); err != nil {
		return fmt.Errorf("import: %w: %w", tokens.ErrSignature, err)
	}
	return nil
}

// takeBack removes what an import that failed has written.
func (s *session) takeBack(written []pkcs11.ObjectHandle, certified [][]byte) error {
	ctx := context.Background() // also when the person is gone meanwhile
	var errs []error
	for _, der := range certified {
		if err := s.DeleteCertificate(ctx, der); !errors.Is(err, tokens.ErrNoCertificate) {
			errs = append(errs, err)
		}
	}
	if len(written) > 0 {
		errs = append(errs, s.changing(ctx, "take back the import", func(h pkcs11.SessionHandle) error {
			s.forget()
			for _, o := range written {
				if err := s.destroy(h, o); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return errors.Join(errs...)
}
