package tokens

import "context"

// Module is a Store without the person: what p11 and file implement. tokens/host adds the window and the PIN loop and makes a Store of
// it, in the same process or in a child.
type Module interface {
	Tokens(ctx context.Context) ([]Token, error)
	Objects(ctx context.Context, id ID) ([]Key, []Certificate, error)
	Watch(ctx context.Context) <-chan Event
	// Login makes exactly one login attempt with pin (nil: the PIN is typed on the reader). For a file carrier that has no PIN
	// yet (State PINNotSet) pin becomes its PIN. again gives a PIN for each signature of a key that always
	// authenticates (CKU_CONTEXT_SPECIFIC). The caller wipes pin; the module keeps no copy.
	Login(ctx context.Context, id ID, pin *PIN, again func(context.Context) (*PIN, error)) (Session, error)
}

// PINModule is a Module whose tokens' PINs can be changed. What is typed on a PIN pad is nil.
type PINModule interface {
	Module
	// ChangePIN makes exactly one attempt with old, and sets pin in its place. ErrPINPolicy when the token takes no such pin.
	ChangePIN(ctx context.Context, id ID, old, pin *PIN) error
}

// TokenModule is a PINModule whose tokens can be set up: by their SO-PIN, or by the PUK where Token.Reset says so.
type TokenModule interface {
	PINModule
	// ResetPIN makes exactly one attempt with by, and sets pin, also where there was none. ErrPUKIncorrect, ErrPUKLocked, ErrPINPolicy as of
	// pin, ErrPINNotLocked.
	ResetPIN(ctx context.Context, id ID, by, pin *PIN) error
	// Initialize makes exactly one attempt with so, which becomes the SO-PIN of a token that was Uninitialized (ErrPINPolicy then), takes
	// everything off the token and names it. The token has no PIN afterwards, and may have another ID.
	Initialize(ctx context.Context, id ID, so *PIN, label string) (Token, error)
}

// ImportModule is a Module that takes keys made elsewhere.
type ImportModule interface {
	Module
	// OpenKeyStore opens the PKCS#12 file at path. ErrPINIncorrect when password is not its, ErrNoKey when no key is in it.
	OpenKeyStore(ctx context.Context, path string, password *PIN) (KeyStore, error)
}

// KeyStore is keys and their certificates on the way to a token.
type KeyStore interface {
	// Import writes them by a session that the same Module's Login gave, sensitive and not extractable, and proves each key by a signature.
	// What cannot be finished is taken away again. ErrExists when a key is on the token already, ErrUnsupported when it takes none.
	Import(ctx context.Context, s Session) error
	// Contents tells how many keys there are, and gives their own certificates, in DER.
	Contents() (keys int, certificates [][]byte)
	// Wipe overwrites the private keys.
	Wipe()
}

// FileModule is a Module whose tokens are files.
type FileModule interface {
	Module
	// Copy checks the PIN and writes the carrier to path, mode 0600, synced. ErrExists when path is there.
	Copy(ctx context.Context, id ID, pin *PIN, path string) error
	// Adopt checks the PIN of the key store at path and adds it to the folder. ErrExists when its keys are there already.
	Adopt(ctx context.Context, path string, pin *PIN) (Token, error)
}
