package tokens

import (
	"errors"
	"fmt"
)

// What can go wrong with a token. Callers compare with errors.Is; a store wraps the module's own code beside
// (for instance "sign: CKR_DEVICE_REMOVED: token removed"). ErrPINIncorrect and ErrPINLocked are returned only when the token itself said so.
var (
	ErrNoToken       = errors.New("token not found")
	ErrNoKey         = errors.New("key not found on the token")
	ErrNoCertificate = errors.New("certificate not found on the token")
	ErrRemoved       = errors.New("token removed")
	ErrBusy          = errors.New("token is in use by another program")
	ErrFull          = errors.New("token is full")
	ErrReadOnly      = errors.New("token is read-only")
	ErrPINIncorrect  = errors.New("the token refused the PIN")
	ErrPINLocked     = errors.New("the PIN is locked")
	ErrPINNotSet     = errors.New("the token has no PIN yet")
	ErrPINExpired    = errors.New("the PIN has to be changed before it is of use") // CKR_PIN_EXPIRED
	ErrPINPolicy     = errors.New("the token takes no such PIN")                   // the new one; neither is a wrong PIN, nor was a try spent
	ErrPINNotLocked  = errors.New("the PIN is not locked")                         // and the PUK is for one that is
	ErrPUKIncorrect  = errors.New("the token refused the PUK or SO-PIN")           // said, as ErrPINIncorrect, only when the token did
	ErrPUKLocked     = errors.New("the PUK or SO-PIN is locked")
	ErrCancelled     = errors.New("cancelled by the person")
	ErrBlocked       = errors.New("the person blocked the site")
	ErrTimedOut      = errors.New("nobody answered in time")
	ErrNoWindow      = errors.New("no way to ask the person")
	ErrKeyboardHeld  = errors.New("another program holds the keyboard")
	ErrUnsupported   = errors.New("algorithm not supported by the token")
	ErrExists        = errors.New("already there")
	ErrInUse         = errors.New("a certificate stands beside this key")
	ErrModuleCrashed = errors.New("the token's module crashed or hung")
	ErrModuleFailed  = errors.New("the token's module failed by itself") // with a code that says nothing of token or PIN, or with nonsense
	ErrStorage       = errors.New("could not write")                     // to a disk of this computer
	// ErrForeignContainer: the key store is closed by a cipher that only the program that made it knows (CryptoPro CSP's own).
	ErrForeignContainer = errors.New("key store of another program's own kind")
	// ErrSignature: what the token gave instead of a signature does not verify with the key's public part. ErrByteOrder: it would, in
	// another order of octets than Scheme has. Nothing of either leaves, and a wrong PIN it is not.
	ErrSignature = errors.New("the token's signature does not hold")
	ErrByteOrder = errors.New("the token gives its signatures in a wrong order of octets")
	// ErrOutcomeUnknown stands beside ErrModuleCrashed, ErrRemoved or the end of a context where a login, a signature, a new key, a write or another PIN
	// may have been under way: the token may have counted the PIN, signed, made or written it, or not. Nobody repeats such a call by himself.
	ErrOutcomeUnknown = errors.New("whether the token did it is not known")
)

// Refused is the error of an act in which the token refused secrets that the person typed: how often, and how the act ended in the end. Beside
// ErrOutcomeUnknown those count too that were put to the token without an answer.
type Refused struct {
	Times int
	Err   error
}

func (r *Refused) Error() string { return fmt.Sprintf("%v (%d refused)", r.Err, r.Times) }
func (r *Refused) Unwrap() error { return r.Err }
