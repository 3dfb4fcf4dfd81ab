package status

import (
	"crypto/x509"
	"errors"

	"github.com/perosign/pero/agent/signature"
)

// signed is a certificate, a revocation list or an OCSP answer as the libraries parse them.
type signed interface {
	CheckSignatureFrom(signer *x509.Certificate) error
}

// holds says whether signer signed it and, for certificates and lists, may sign such. The library holds the rules and knows RSA, ECDSA and
// EdDSA; the rules met, it says x509.ErrUnsupportedAlgorithm of GOST R 34.10, and the signature of the whole (der) is then checked here.
func holds(it signed, der []byte, signer *x509.Certificate) error {
	err := it.CheckSignatureFrom(signer)
	if errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		err = signature.CheckSigned(signer.RawSubjectPublicKeyInfo, der)
	}
	return err
}

// foreign: crypto/x509 cannot check what the certificate's key signed.
func foreign(c *x509.Certificate) bool { return c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm }
