package tokens

import "context"

// MaxLabel is the longest name that a token can be given, in octets of UTF-8 (PKCS#11 v2.40, section 5.5, "C_InitToken").
const MaxLabel = 32

// Manager is what a Store can do to a token itself, beside what it carries. Each is one act of the person, who is shown p and asked for what
// it takes in the window, and at most one attempt for each secret typed. ErrUnsupported where a carrier has no such thing.
type Manager interface {
	// ChangePIN sets a new PIN by the old one.
	ChangePIN(ctx context.Context, id ID, p Prompt) error
	// ResetPIN sets a PIN that is locked, forgotten or not there yet, by what Token.Reset names.
	ResetPIN(ctx context.Context, id ID, p Prompt) error
	// Initialize takes everything off a token, names it by p.Name and sets its first PIN, unless the person wants none. It gives the token
	// as it is then. PKCS#11 has no other way to name a token (C_InitToken).
	Initialize(ctx context.Context, id ID, p Prompt) (Token, error)
	// Import puts the keys of a PKCS#12 file, which the person picks in the window, on the token, with their certificates.
	Import(ctx context.Context, id ID, p Prompt) error
}
