package keystore

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/text/unicode/norm"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

// Open opens a key store with a PIN: as it was typed and, where that is refused, with its letters in the other ways that Unicode has to write
// them. RFC 7292 and RFC 9548 want UTF-8 and say no more, keyboards differ ("й" is one code point or two), and a file counts no attempts.
func Open(f *pkcs12.File, pin *tokens.PIN) (*pkcs12.Store, *pkcs12.Lock, error) {
	if pin == nil {
		return nil, nil, fmt.Errorf("no PIN given: %w", tokens.ErrPINIncorrect)
	}
	defer runtime.KeepAlive(pin) // its memory goes when nobody holds it
	store, lock, err := f.Open(pin.Bytes())
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		if !errors.Is(err, pkcs12.ErrPassword) {
			break
		}
		if form.IsNormal(pin.Bytes()) {
			continue
		}
		other := normal(form, pin)
		store, lock, err = f.Open(other.Bytes())
		other.Wipe()
	}
	return store, lock, meaning(err)
}

// NewLock makes the lock of a new PIN. The password is the PIN in composed letters, as RFC 8265 section 4.2 has passwords: the same letters from
// another keyboard are the same password.
func NewLock(pin *tokens.PIN) (*pkcs12.Lock, error) {
	password := normal(norm.NFC, pin)
	defer password.Wipe()
	lock, err := pkcs12.NewLock(password.Bytes())
	return lock, meaning(err)
}

// normal gives a PIN in a normal form. It is written where it is to stay; elsewhere there is one letter of it at a time.
func normal(form norm.Form, pin *tokens.PIN) *tokens.PIN {
	p := tokens.AllocPIN(4 * len(pin.Bytes())) // UTF-8 grows to three times its length at most (UAX #15)
	p.Truncate(len(form.Append(p.Bytes()[:0], pin.Bytes()...)))
	runtime.KeepAlive(pin)
	return p
}
