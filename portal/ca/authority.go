package ca

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// Config opens an Authority.
type Config struct {
	Folder   string        // its keys and certificates, mode 0700; made when absent
	Base     string        // "http://127.0.0.1:14780": the address the certificates name for CRL, OCSP and issuers
	Life     time.Duration // of a citizen's certificate; 15 months when 0
	Register Register
	// Algorithm of the keys that a new folder gets: gost2012-256 (when ""), gost2012-512 or ec-p256. A folder that has keys keeps them.
	Algorithm tokens.KeyAlgorithm
}

// Authority issues and revokes.
type Authority struct {
	base     *url.URL
	life     time.Duration
	register Register
	root     pair
	issuing  pair

	mu        sync.Mutex // issuing is one at a time: that makes a request id idempotent
	responder pair
	list      revocationList
}

type pair struct {
	cert *x509.Certificate
	key  signer
}

// Open reads the authority of a folder, or makes a new one in it.
func Open(c Config) (*Authority, error) {
	base, err := url.Parse(c.Base)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("authority's address %q: want http://host:port", c.Base)
	}
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, err
	}
	a := &Authority{base: base, life: c.Life, register: c.Register}
	if a.life == 0 {
		a.life = defaultLife
	}
	if c.Algorithm == "" {
		c.Algorithm = tokens.GOST2012256
	}
	now := time.Now()
	a.root, err = load(c.Folder, "root", c.Algorithm, func(key signer) ([]byte, error) {
		own, err := keyIdentifier(key.public)
		if err != nil {
			return nil, err
		}
		t, err := authorityTemplate("Перо: демонстрационный корневой УЦ", rootYears, 1, key.public, own, now, nil)
		if err != nil {
			return nil, err
		}
		return key.certificate(t.subject, t)
	})
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	a.issuing, err = load(c.Folder, "issuing", a.root.key.algorithm, func(key signer) ([]byte, error) {
		t, err := authorityTemplate("Перо: демонстрационный УЦ", issuingYears, 0, key.public, a.root.cert.SubjectKeyId, now, func(x *extensions) {
			x.crlAt(a.address("root.crl"))
			x.access("", a.address("root.cer"))
		})
		if err != nil {
			return nil, err
		}
		return a.root.key.certificate(a.root.cert.RawSubject, t)
	})
	if err != nil {
		return nil, fmt.Errorf("issuing key: %w", err)
	}
	return a, nil
}

// Root is the certificate that people and agents are to trust.
func (a *Authority) Root() *x509.Certificate { return a.root.cert }

// Issuing is the certificate that citizens' certificates are signed with.
func (a *Authority) Issuing() *x509.Certificate { return a.issuing.cert }

// Entry gives what the authority knows of a certificate it issued: ErrNotFound when it never issued just this one.
func (a *Authority) Entry(ctx context.Context, cert *x509.Certificate) (Entry, error) {
	e, err := a.register.BySerial(ctx, Serial(cert.SerialNumber))
	if err != nil {
		return Entry{}, err
	}
	if string(e.DER) != string(cert.Raw) {
		return Entry{}, ErrNotFound
	}
	return e, nil
}

// load reads NAME.key and NAME.pem of a folder. The key is written first, so a certificate never stands without its key.
func load(folder, name string, algorithm tokens.KeyAlgorithm, issue func(signer) ([]byte, error)) (pair, error) {
	keyFile, certFile := filepath.Join(folder, name+".key"), filepath.Join(folder, name+".pem")
	key, err := readKey(keyFile)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(certFile); err == nil {
			return pair{}, fmt.Errorf("%s is there and its key is not: bring %s back from a backup", certFile, keyFile)
		}
		key, err = newKey(algorithm)
		if err == nil {
			err = writeKey(keyFile, key)
		}
	}
	if err != nil {
		return pair{}, err
	}
	data, err := os.ReadFile(certFile)
	if errors.Is(err, os.ErrNotExist) {
		var der []byte
		if der, err = issue(key); err == nil {
			data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
			err = write(certFile, data, 0o644)
		}
	}
	if err != nil {
		return pair{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return pair{}, fmt.Errorf("%s: not PEM", certFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w", certFile, err)
	}
	if !tokens.SamePublic(cert.RawSubjectPublicKeyInfo, key.public) {
		return pair{}, fmt.Errorf("%s does not belong to %s", certFile, keyFile)
	}
	return pair{cert, key}, nil
}

// write replaces a file whole or not at all.
func write(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
