package p11_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

func TestTokenAsListed(t *testing.T) {
	newSoftHSM(t)
	m := open(t)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Empty(t, list, "SoftHSM's spare slot is no token of a person")

	initToken(t, "Подпись")
	initToken(t, "second")
	list, err = m.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2, "a token made after C_Initialize is seen")
	for _, token := range list {
		require.Equal(t, "SoftHSM", token.Module)
		require.Equal(t, tokens.Ready, token.State)
		require.Equal(t, tokens.Software, token.Carrier)
		require.True(t, token.Writable)
		require.False(t, token.PINPad)
		require.Equal(t, 4, token.MinPIN)
		require.NotEmpty(t, token.SerialNumber)
		require.Subset(t, token.Algorithms, []tokens.KeyAlgorithm{tokens.RSA2048, tokens.RSA4096, tokens.ECP256, tokens.ECP521})
	}
	require.ElementsMatch(t, []string{"Подпись", "second"}, []string{list[0].Label, list[1].Label})
	require.NotEqual(t, list[0].ID, list[1].ID)

	again, err := open(t).Tokens(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, list, again, "identities outlive the module's life")
}

func TestLogin(t *testing.T) {
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	id := only(t, m).ID

	_, err := m.Login(t.Context(), id, pin("99999999"), nil)
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	require.Equal(t, tokens.PINLow, only(t, m).State)
	_, err = m.Login(t.Context(), id, pin(""), nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, tokens.ErrPINIncorrect, "no token refused it")
	_, err = m.Login(t.Context(), "00", pin(userPIN), nil)
	require.ErrorIs(t, err, tokens.ErrNoToken)

	s := login(t, m, id)
	_, err = m.Login(t.Context(), id, pin("99999999"), nil)
	require.ErrorIs(t, err, tokens.ErrBusy, "nobody rides on another's login")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = s.Keys(t.Context())
	require.Error(t, err)
	require.Equal(t, tokens.Ready, only(t, m).State)
	_, err = m.Login(t.Context(), id, pin("99999999"), nil)
	require.ErrorIs(t, err, tokens.ErrPINIncorrect, "the login before has ended")
}

func TestGenerateSignInstall(t *testing.T) {
	ca := newAuthority(t)
	for _, prepared := range []bool{true, false} {
		for _, algorithm := range []tokens.KeyAlgorithm{tokens.RSA2048, tokens.ECP256, tokens.ECP384, tokens.ECP521} {
			t.Run(fmt.Sprint(algorithm, prepared), func(t *testing.T) {
				newSoftHSM(t)
				initToken(t, "one")
				m := open(t)
				id := only(t, m).ID
				if prepared {
					require.NoError(t, m.Prepare(t.Context(), id))
				} else {
					m.Watch(t.Context()) // a process that watches goes without crypto11
				}
				s := login(t, m, id)
				spec := tokens.KeySpec{ID: keyID(t), Algorithm: algorithm, Label: "подпись"}
				key, err := s.Generate(t.Context(), spec)
				require.NoError(t, err)
				require.Equal(t, spec.ID, key.ID)
				require.Equal(t, algorithm, key.Algorithm)
				_, err = s.Generate(t.Context(), spec)
				require.ErrorIs(t, err, tokens.ErrExists)

				seen := loggedIn(t, "one", "--list-objects", "--type", "privkey")
				require.Contains(t, seen, string(spec.ID))
				require.Contains(t, seen, "label:      подпись")
				require.Contains(t, seen, "Access:     sensitive, always sensitive, never extractable, local")
				if algorithm == tokens.RSA2048 {
					require.NotContains(t, seen, "decrypt", "a signature key")
				}

				schemes := []tokens.Scheme{tokens.ECDSA}
				if algorithm == tokens.RSA2048 {
					schemes = []tokens.Scheme{tokens.RSAPKCS1v15, tokens.RSAPSS}
				}
				for _, scheme := range schemes {
					for _, h := range []tokens.Hash{tokens.SHA256, tokens.SHA384, tokens.SHA512} {
						alg := tokens.Algorithm{Scheme: scheme, Hash: h}
						digest := digestOf(h, "a document")
						signature, err := s.Sign(t.Context(), key.ID, alg, digest)
						require.NoError(t, err, "%v", alg)
						holds(t, key.Public, alg, digest, signature)
					}
				}
				_, err = s.Sign(t.Context(), key.ID, tokens.Algorithm{Scheme: schemes[0], Hash: tokens.SHA256}, make([]byte, 20))
				require.Error(t, err, "a digest of another length")
				_, err = s.Sign(t.Context(), key.ID, tokens.Algorithm{Scheme: schemes[0], Hash: "sha1"}, make([]byte, 20))
				require.ErrorIs(t, err, tokens.ErrUnsupported)
				_, err = s.Sign(t.Context(), keyID(t), tokens.Algorithm{Scheme: schemes[0], Hash: tokens.SHA256}, make([]byte, 32))
				require.ErrorIs(t, err, tokens.ErrNoKey)

				leaf := ca.issue(t, "Иван", key.Public)
				require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{leaf, ca.cert.Raw}))
				require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{leaf, ca.cert.Raw}))
				newer := ca.issue(t, "Иван II", key.Public)
				require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{newer, ca.cert.Raw}))
				require.ErrorIs(t, s.Delete(t.Context(), key.ID), tokens.ErrInUse)

				keys, certificates, err := m.Objects(t.Context(), id)
				require.NoError(t, err)
				require.Contains(t, keys, key)
				require.Contains(t, certificates, tokens.Certificate{DER: leaf, Key: key.ID})
				require.Contains(t, certificates, tokens.Certificate{DER: newer, Key: key.ID})
				authorities := 0
				for _, c := range certificates {
					if string(c.DER) == string(ca.cert.Raw) {
						authorities++
						require.Empty(t, c.Key)
					}
				}
				require.Equal(t, 1, authorities)
			})
		}
	}
}

func TestDelete(t *testing.T) {
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	id := only(t, m).ID
	s := login(t, m, id)
	kept, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.ECP256})
	require.NoError(t, err)
	gone, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.ECP256})
	require.NoError(t, err)
	sign(t, s, gone)
	require.NoError(t, s.Delete(t.Context(), gone.ID))
	require.ErrorIs(t, s.Delete(t.Context(), gone.ID), tokens.ErrNoKey)
	_, err = s.Sign(t.Context(), gone.ID, sha, make([]byte, 32))
	require.ErrorIs(t, err, tokens.ErrNoKey)
	sign(t, s, kept)
	require.NotContains(t, loggedIn(t, "one", "--list-objects"), string(gone.ID))
}
