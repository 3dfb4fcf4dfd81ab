package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
)

// person is the store CurrentUser\Root. Chromium reads it, and Firefox too. The system shows the person each root and asks.
type person struct{}

// Stores gives the store of the person.
func Stores(bool) ([]Store, error) { return []Store{person{}}, nil }

// Place implements Store.
func (person) Place() string { return `CurrentUser\Root` }

// Kind implements Store.
func (person) Kind() Kind { return System }

// Asks implements Store.
func (person) Asks() bool { return true }

// Anchors implements Store. What lies in this store is trusted.
func (person) Anchors(context.Context) ([]Anchor, error) {
	var found []Anchor
	err := each(func(_ *windows.CertContext, c *x509.Certificate) error {
		found = append(found, Anchor{Root: c, Trusted: true})
		return nil
	})
	return found, err
}

// Add implements Store.
func (person) Add(_ context.Context, root *x509.Certificate) error {
	return opened(func(store windows.Handle) error {
		c, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING|windows.PKCS_7_ASN_ENCODING, &root.Raw[0], uint32(len(root.Raw)))
		if err != nil {
			return err
		}
		defer windows.CertFreeCertificateContext(c)
		return windows.CertAddCertificateContextToStore(store, c, windows.CERT_STORE_ADD_REPLACE_EXISTING, nil)
	})
}

// Remove implements Store.
func (person) Remove(_ context.Context, a Anchor) error {
	return each(func(at *windows.CertContext, c *x509.Certificate) error {
		if !c.Equal(a.Root) {
			return nil
		}
		return windows.CertDeleteCertificateFromStore(windows.CertDuplicateCertificateContext(at)) // it frees what it is given
	})
}

// each has do see every root of ours.
func each(do func(at *windows.CertContext, c *x509.Certificate) error) error {
	return opened(func(store windows.Handle) error {
		var at *windows.CertContext
		for {
			var err error
			if at, err = windows.CertEnumCertificatesInStore(store, at); errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
				return nil
			} else if err != nil {
				return err
			}
			c, err := x509.ParseCertificate(unsafe.Slice(at.EncodedCert, at.Length))
			if err != nil || !Ours(c) {
				continue // others' certificates may be as they like
			}
			if err := do(at, c); err != nil {
				windows.CertFreeCertificateContext(at)
				return err
			}
		}
	})
}

func opened(do func(store windows.Handle) error) error {
	name, err := windows.UTF16PtrFromString("ROOT")
	if err != nil {
		return err
	}
	store, err := windows.CertOpenSystemStore(0, name)
	if err != nil {
		return err
	}
	defer windows.CertCloseStore(store, 0)
	return do(store)
}
