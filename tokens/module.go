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

// FileModule is a Module whose tokens are files.
type FileModule interface {
	Module
	// Copy checks the PIN and writes the carrier to path, mode 0600, synced. ErrExists when path is there.
	Copy(ctx context.Context, id ID, pin *PIN, path string) error
	// Adopt checks the PIN of the key store at path and adds it to the folder. ErrExists when its keys are there already.
	Adopt(ctx context.Context, path string, pin *PIN) (Token, error)
}
