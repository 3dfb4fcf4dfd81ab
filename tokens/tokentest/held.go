package tokentest

import (
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

// held gives a key of a token that came with keys: one that signs without a further PIN.
func (f *fixture) held(s tokens.Session) tokens.Key {
	f.Helper()
	keys, err := s.Keys(f.Context())
	require.NoError(f, err)
	for _, k := range keys {
		if !k.AlwaysAuthenticate && k.Public != nil {
			return k
		}
	}
	require.Fail(f, "the token holds no key that signs by the login alone", "%v", keys)
	return tokens.Key{}
}

// heldKeys holds what is seen before the login against what is seen after it.
func (f *fixture) heldKeys() {
	outside, certificates := f.objects()
	require.NotEmpty(f, outside)
	require.NotEmpty(f, certificates)
	for _, c := range certificates {
		require.NotEmpty(f, c.Key, "each certificate stands beside its key")
	}
	inside, err := f.open(tokens.ActSign).Keys(f.Context())
	require.NoError(f, err)
	require.Len(f, inside, len(outside))
	for _, k := range inside {
		require.NotNil(f, find(outside, k.ID), "%s was seen before the login", k.ID)
	}
}

func find(keys []tokens.Key, id tokens.KeyID) *tokens.Key {
	for i := range keys {
		if keys[i].ID == id {
			return &keys[i]
		}
	}
	return nil
}

// heldSignatures has every key sign. One that always authenticates has the person asked for each signature but the first.
func (f *fixture) heldSignatures() {
	s := f.open(tokens.ActSign)
	keys, err := s.Keys(f.Context())
	require.NoError(f, err)
	require.NotEmpty(f, keys)
	require.NoError(f, s.Close())
	for _, key := range keys {
		s := f.open(tokens.ActSign)
		before := len(f.person.Asked())
		further := 0
		if key.AlwaysAuthenticate {
			further = len(schemes(key.Algorithm))*len(hashesOf(key.Algorithm)) - 1
		}
		for range further {
			f.person.Answer(PIN(f.PIN))
		}
		f.signsEveryWay(s, key)
		require.Len(f, f.person.Asked(), before+further)
		require.NoError(f, s.Close())
	}
}

// nothingWritten tries all that writes.
func (f *fixture) nothingWritten() {
	s := f.open(tokens.ActComplete)
	key := f.held(s)
	before, beside := f.objects()
	require.ErrorIs(f, s.Install(f.Context(), key.ID, [][]byte{NewAuthority(f).Issue(f, key.Public, "late")}), tokens.ErrReadOnly)
	require.ErrorIs(f, s.Delete(f.Context(), key.ID), tokens.ErrReadOnly)
	_, err := s.Generate(f.Context(), tokens.KeySpec{ID: newID(), Algorithm: key.Algorithm, Label: "new"})
	require.ErrorIs(f, err, tokens.ErrReadOnly)
	f.signs(s, key)
	keys, certificates := f.objects()
	require.ElementsMatch(f, before, keys)
	require.ElementsMatch(f, beside, certificates)
}

// twoReaders are two logins that only sign.
func (f *fixture) twoReaders() {
	one, two := f.open(tokens.ActSign), f.open(tokens.ActSign)
	key := f.held(one)
	f.signs(one, key)
	f.signs(two, key)
	require.NoError(f, one.Close())
	f.signs(two, key)
}
