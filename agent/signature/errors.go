package signature

import (
	"errors"
	"fmt"
)

// What can be wrong with a signature. Compare with errors.Is.
var (
	ErrMalformed       = errors.New("malformed")                                      // not the structure it should be
	ErrAlgorithm       = errors.New("algorithm not supported or too weak")            // SHA-1, MD5, RSA below 2048 bits, anything unknown
	ErrInvalid         = errors.New("the signature does not hold")                    // mathematics says no
	ErrDigest          = errors.New("the document is not the one signed")             // message-digest differs
	ErrCertificate     = errors.New("the signer's certificate is missing or another") // ESS hash, signer identifier, key
	ErrNoCertificate   = fmt.Errorf("it is not in the signature: %w", ErrCertificate) // nothing is known yet of the signature
	ErrDocumentChanged = errors.New("the document changed while it was being signed")
	ErrExtension       = errors.New("this extension cannot be requested")
	ErrUnknownKind     = errors.New("not a certificate, request, signature or key store that Pero knows")
)
