package tokens

import "context"

// Store is a set of tokens that one module (or one folder of key stores) offers.
type Store interface {
	// Tokens lists the tokens present. Never asks for a PIN. A token that cannot be read is listed with State Unreadable;
	// it does not hide the others.
	Tokens(ctx context.Context) ([]Token, error)
	// Objects lists the keys and certificates that can be seen without a PIN. Certificates come in no order and are not
	// parsed: one that is not DER is still listed. A private key that can be seen only after login is not listed unless a
	// certificate or public key object of the same ID tells of it.
	Objects(ctx context.Context, id ID) ([]Key, []Certificate, error)
	// Watch sends an Event when a token comes, goes or changes its state, until ctx ends; then the channel is closed.
	// A receiver that lags loses nothing but duplicates: an Event says that something changed, not what.
	Watch(ctx context.Context) <-chan Event
	// Open shows p to the person, takes the PIN and logs in. One Open is one act of the person and at most one
	// C_Login for each PIN the person typed. Errors: ErrCancelled, ErrTimedOut, ErrPINIncorrect, ErrPINLocked, ErrPINNotSet, ErrNoToken,
	// ErrRemoved, ErrModuleCrashed, ErrNoWindow.
	Open(ctx context.Context, id ID, p Prompt) (Session, error)
}

// Event says that the tokens of a Store are to be listed again.
type Event struct{}

// Session is one login. It may be used from several goroutines. When its ctx ends, a call returns; the session may still be
// busy until then. After ErrRemoved or ErrModuleCrashed every call fails.
type Session interface {
	// Sign signs a digest, or with Algorithm.TokenHash the message. Keys with AlwaysAuthenticate ask for the PIN each time. A store that
	// holds what the token gave against the public key says ErrSignature or ErrByteOrder, these two, for they have words for people.
	Sign(ctx context.Context, key KeyID, alg Algorithm, digest []byte) ([]byte, error)
	// Generate makes a key pair on the token. ErrExists when a key of that ID is there; nothing is overwritten.
	Generate(ctx context.Context, spec KeySpec) (Key, error)
	// Install writes a certificate (leaf first, then its issuers) beside its key. Issuers already there are left
	// alone; the leaf is added, also beside an older certificate of the same key. Idempotent.
	Install(ctx context.Context, key KeyID, chain [][]byte) error
	// Delete removes a key pair that has no certificate (an abandoned enrolment). ErrInUse when a certificate stands beside it.
	Delete(ctx context.Context, key KeyID) error
	// DeleteCertificate removes a certificate, wherever it lies on the token; its key stays. ErrNoCertificate when it is not there.
	DeleteCertificate(ctx context.Context, der []byte) error
	// Keys lists the private keys as seen after login: those that Objects cannot see too.
	Keys(ctx context.Context) ([]Key, error)
	// Close logs out, always.
	Close() error
}

// Archive is what a Store of file carriers can do beyond Store.
type Archive interface {
	// Backup copies a carrier, still encrypted under its PIN, to a file that the person names in the window (the PIN is asked first:
	// a copy nobody can open is no backup). Never overwrites. Returns where it was written.
	Backup(ctx context.Context, id ID, p Prompt) (path string, err error)
	// Restore adds a carrier from a backup that the person picks in the window (its PIN is asked and checked). Never overwrites:
	// a carrier that holds the same keys is ErrExists.
	Restore(ctx context.Context, p Prompt) (Token, error)
}
