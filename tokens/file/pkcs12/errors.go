package pkcs12

import "errors"

// Why a file cannot be read or opened.
var (
	ErrDamaged     = errors.New("damaged key store")
	ErrPassword    = errors.New("wrong password")
	ErrUnsupported = errors.New("unsupported key store")
	// ErrForeign: closed by the cipher of CryptoPro CSP, whose description is not published. The program that made it can open it, or
	// export the key by other means.
	ErrForeign = errors.New("key store closed by a cipher of CryptoPro CSP's own")
	ErrChanged = errors.New("key store is sealed under another lock")
)
