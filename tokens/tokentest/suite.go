// Package tokentest is the one suite that every tokens.Store passes: a fake, a folder of files, SoftHSM or a card, in this
// process or in a child.
package tokentest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

// Config says what is under test.
type Config struct {
	// Store gives a store whose windows person answers. Each subtest asks for one of its own. The subtests work on its first writable token,
	// which holds no objects; its PIN is PIN, or is not set yet. A store without a writable token holds keys on its first: they sign, and
	// every attempt to write must be refused.
	Store func(t *testing.T, person *Person) tokens.Store
	// PIN opens the token, or becomes its PIN. WrongPIN does neither, and is as long as the token allows.
	PIN, WrongPIN string
	// Change makes a token come, go or change its state, so that Watch must tell and Tokens must differ.
	Change func(t *testing.T, store tokens.Store)
	// OneLogin: a second Open of the same token is ErrBusy while a session is open (PKCS#11 in one process).
	OneLogin bool
	// Locks: wrong PINs are counted and lock the token, so it is given only one.
	Locks bool
	// Cannot tells what is beyond the token, in the words of tokens/cards and those below: then the suite sees to it that it is refused, or expects nothing of it.
	Cannot func(what string) bool
	// Algorithms limits the key algorithms that are tried; nil: all that the token lists. All else is done with the quickest of them.
	Algorithms []tokens.KeyAlgorithm
}

// What Config.Cannot is asked beside the limits of tokens/cards.
const (
	Share  = "share"  // one login sees what another writes meanwhile
	Events = "events" // something about the tokens can change
)

// Suite runs everything.
func Suite(t *testing.T, c Config) {
	t.Helper()
	require.NotEqual(t, c.PIN, c.WrongPIN, "a suite without a wrong PIN proves nothing")
	if c.Cannot == nil {
		c.Cannot = func(string) bool { return false }
	}
	for _, part := range []struct {
		name string
		run  func(*fixture)
		held func(*fixture) // on a token that is not written to
	}{
		{"listing asks nobody", (*fixture).listing, (*fixture).listing},
		{"wrong PIN, then the right one", (*fixture).wrongPIN, (*fixture).wrongPIN},
		{"cancelled by the person", (*fixture).cancelled, (*fixture).cancelled},
		{"context ends while the window is open", (*fixture).windowAbandoned, (*fixture).windowAbandoned},
		{"keys of each algorithm sign", (*fixture).algorithms, (*fixture).heldSignatures},
		{"what cannot be signed", (*fixture).refusals, (*fixture).refusals},
		{"certificates beside their key", (*fixture).certificates, (*fixture).heldKeys},
		{"a key without a certificate", (*fixture).lonelyKey, (*fixture).nothingWritten},
		{"several signers at once", (*fixture).signers, (*fixture).signers},
		{"two sessions", (*fixture).twoSessions, (*fixture).twoReaders},
		{"a closed session", (*fixture).closed, (*fixture).closed},
		{"context ended before the call", (*fixture).contexts, (*fixture).contexts},
		{"changes are told", (*fixture).watch, (*fixture).watch},
	} {
		t.Run(part.name, func(t *testing.T) {
			f := &fixture{T: t, Config: c, person: At(t.TempDir())}
			f.store = c.Store(t, f.person)
			f.token = f.first()
			run := part.run
			if !f.token.Writable {
				run = part.held
			}
			run(f)
		})
	}
}

// fixture is one subtest.
type fixture struct {
	*testing.T
	Config
	person *Person
	store  tokens.Store
	token  tokens.Token
}

func (f *fixture) first() tokens.Token {
	f.Helper()
	list, err := f.store.Tokens(f.Context())
	require.NoError(f, err)
	for _, t := range list {
		if !t.State.Open() {
			continue
		}
		if f.Cannot("write") {
			require.False(f, t.Writable, "what cannot be written to does not say that it can")
			return t
		}
		if t.Writable {
			return t
		}
	}
	require.Fail(f, "the store has no token to work on", "%v", list)
	return tokens.Token{}
}

// open logs in with the right PIN.
func (f *fixture) open(act tokens.Act) tokens.Session {
	f.Helper()
	f.person.Answer(PIN(f.PIN))
	s, err := f.store.Open(f.Context(), f.token.ID, tokens.Prompt{Act: act, Language: "en", Origin: "https://portal.example"})
	require.NoError(f, err)
	f.Cleanup(func() { _ = s.Close() })
	return s
}

// generate makes a key of the quickest kind that the token has; a token that is not written to has its own.
func (f *fixture) generate(s tokens.Session, label string) tokens.Key {
	f.Helper()
	if !f.token.Writable {
		return f.held(s)
	}
	key, err := s.Generate(f.Context(), tokens.KeySpec{ID: newID(), Algorithm: f.quick(), Label: label})
	require.NoError(f, err)
	return key
}

func (f *fixture) quick() tokens.KeyAlgorithm {
	for _, a := range []tokens.KeyAlgorithm{tokens.ECP256, tokens.GOST2012256, tokens.GOST2012512, tokens.ECP384, tokens.ECP521, tokens.RSA2048} {
		if slices.Contains(f.token.Algorithms, a) && (f.Config.Algorithms == nil || slices.Contains(f.Config.Algorithms, a)) {
			return a
		}
	}
	require.Fail(f, "the token makes no key that the suite knows", "%v", f.token.Algorithms)
	return ""
}

func (f *fixture) objects() ([]tokens.Key, []tokens.Certificate) {
	f.Helper()
	keys, certificates, err := f.store.Objects(f.Context(), f.token.ID)
	require.NoError(f, err)
	return keys, certificates
}
