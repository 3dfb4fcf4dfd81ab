package p11

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// meanings is the one table from return values (PKCS#11 v2.40 base specification, section 5.1, "Function return values", with the
// subsections named) to what callers compare with. A code that is not here is tokens.ErrModuleFailed.
var meanings = map[pkcs11.Error]error{
	// 5.1.2: the session is gone, and with it the token as it was.
	pkcs11.CKR_SESSION_HANDLE_INVALID: tokens.ErrRemoved,
	pkcs11.CKR_SESSION_CLOSED:         tokens.ErrRemoved,
	pkcs11.CKR_DEVICE_REMOVED:         tokens.ErrRemoved,
	// 5.1.3: token-related.
	pkcs11.CKR_TOKEN_NOT_PRESENT:    tokens.ErrRemoved,
	pkcs11.CKR_TOKEN_NOT_RECOGNIZED: tokens.ErrRemoved,
	pkcs11.CKR_SLOT_ID_INVALID:      tokens.ErrRemoved,
	// 11.4 C_Sign after a card was reset under us: modules that keep the session say "not logged in".
	pkcs11.CKR_USER_NOT_LOGGED_IN: tokens.ErrRemoved,

	pkcs11.CKR_DEVICE_MEMORY:         tokens.ErrFull,
	pkcs11.CKR_TOKEN_WRITE_PROTECTED: tokens.ErrReadOnly,
	pkcs11.CKR_SESSION_READ_ONLY:     tokens.ErrReadOnly,

	pkcs11.CKR_SESSION_COUNT:                  tokens.ErrBusy,
	pkcs11.CKR_SESSION_EXISTS:                 tokens.ErrBusy,
	pkcs11.CKR_SESSION_READ_WRITE_SO_EXISTS:   tokens.ErrBusy,
	pkcs11.CKR_SESSION_READ_ONLY_EXISTS:       tokens.ErrBusy,
	pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN: tokens.ErrBusy,
	pkcs11.CKR_USER_TOO_MANY_TYPES:            tokens.ErrBusy,
	pkcs11.CKR_PIN_INCORRECT:                  tokens.ErrPINIncorrect,
	pkcs11.CKR_PIN_INVALID:                    tokens.ErrPINIncorrect,
	pkcs11.CKR_PIN_LEN_RANGE:                  tokens.ErrPINIncorrect,
	pkcs11.CKR_PIN_LOCKED:                     tokens.ErrPINLocked,
	pkcs11.CKR_PIN_EXPIRED:                    tokens.ErrPINExpired,
	pkcs11.CKR_USER_PIN_NOT_INITIALIZED:       tokens.ErrPINNotSet,
	pkcs11.CKR_CANCEL:                         tokens.ErrCancelled, // the cancel key of a PIN pad
	pkcs11.CKR_FUNCTION_CANCELED:              tokens.ErrCancelled,
	pkcs11.CKR_FUNCTION_REJECTED:              tokens.ErrCancelled,
	pkcs11.CKR_KEY_HANDLE_INVALID:             tokens.ErrNoKey,
	pkcs11.CKR_OBJECT_HANDLE_INVALID:          tokens.ErrNoKey,
	pkcs11.CKR_MECHANISM_INVALID:              tokens.ErrUnsupported,
	pkcs11.CKR_MECHANISM_PARAM_INVALID:        tokens.ErrUnsupported,
	pkcs11.CKR_KEY_SIZE_RANGE:                 tokens.ErrUnsupported,
	pkcs11.CKR_KEY_TYPE_INCONSISTENT:          tokens.ErrUnsupported,
	pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED:     tokens.ErrUnsupported,
	pkcs11.CKR_DOMAIN_PARAMS_INVALID:          tokens.ErrUnsupported,
	pkcs11.Error(0x140):                       tokens.ErrUnsupported, // CKR_CURVE_NOT_SUPPORTED
	pkcs11.CKR_FUNCTION_NOT_SUPPORTED:         tokens.ErrUnsupported,
}

// failed wraps what a call returned: "sign: pkcs11: 0x32: CKR_DEVICE_REMOVED: token removed".
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	var code pkcs11.Error
	if errors.As(err, &code) {
		err = fmt.Errorf("%w: %w", err, cmp.Or(meanings[code], tokens.ErrModuleFailed))
	}
	if b := (begun{}); errors.Is(err, tokens.ErrRemoved) && errors.As(err, &b) {
		if err = fmt.Errorf("%w: %w", err, tokens.ErrOutcomeUnknown); b.secret {
			err = &tokens.Refused{Times: 1, Err: err}
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// begun is an error after the token itself was told to take a PIN, to sign, or to make or write something: when it was pulled out meanwhile, nobody knows
// whether it did.
type begun struct {
	error
	secret bool // it was a PIN
}

func (b begun) Unwrap() error { return b.error }

// whenBegun is the error of what was begun.
func whenBegun(err error) error {
	if err == nil {
		return nil
	}
	return begun{err, false}
}

// whenPut is the error of what a PIN was put to.
func whenPut(err error) error {
	if err == nil {
		return nil
	}
	return begun{err, true}
}

// gone reports whether err carries a return value that says that the token is not there any more.
func gone(err error) bool {
	var c pkcs11.Error
	return errors.As(err, &c) && meanings[c] == tokens.ErrRemoved
}

// is reports whether err carries the return value code.
func is(err error, code pkcs11.Error) bool {
	var c pkcs11.Error
	return errors.As(err, &c) && c == code
}
