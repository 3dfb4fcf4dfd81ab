package pkcs12

import "errors"

// Why a file cannot be read or opened.
var (
	ErrDamaged     = errors.New("damaged key store")
	ErrPassword    = errors.New("wrong password")
	ErrUnsupported = errors.New("unsupported key store")
	ErrChanged     = errors.New("key store is sealed under another lock")
)
