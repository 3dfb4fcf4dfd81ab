//go:build unix

package trust

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
)

// withFile has do work with a file that holds the certificate.
func withFile(c *x509.Certificate, do func(path string) error) error {
	f, err := os.CreateTemp("", "pero-*.pem")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return do(f.Name())
}
