package p11_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/tokentest"
)

func TestCertificateThatTheTokenTore(t *testing.T) {
	ca := newAuthority(t)
	m, library := newCard(t, "torn 2")
	s := enter(t, m, nil)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	_, before, err := m.Objects(t.Context(), only(t, m).ID)
	require.NoError(t, err)
	leaf := ca.issue(t, "Иван", keys[0].Public)
	require.NoError(t, s.Install(t.Context(), keys[0].ID, [][]byte{leaf, ca.cert.Raw}))
	_, certificates, err := m.Objects(t.Context(), only(t, m).ID)
	require.NoError(t, err)
	require.ElementsMatch(t, append(before, tokens.Certificate{DER: leaf, Key: keys[0].ID}, tokens.Certificate{DER: ca.cert.Raw}), certificates)
	require.Equal(t, 4, testmodule.Calls(t, library, "C_CreateObject"))
	require.Equal(t, 2, testmodule.Calls(t, library, "C_DestroyObject"), "halves are taken away")

	testmodule.Control(t, library, "torn 100")
	another := ca.issue(t, "Иван II", keys[0].Public)
	require.ErrorIs(t, s.Install(t.Context(), keys[0].ID, [][]byte{another}), tokens.ErrModuleFailed)
	require.Equal(t, 7, testmodule.Calls(t, library, "C_CreateObject"), "not for ever")
	require.Equal(t, 5, testmodule.Calls(t, library, "C_DestroyObject"))

	testmodule.Control(t, library, "handle C_CreateObject 4711")
	require.ErrorIs(t, s.Install(t.Context(), keys[0].ID, [][]byte{ca.issue(t, "Иван III", keys[0].Public)}), tokens.ErrModuleFailed)
	require.Equal(t, 8, testmodule.Calls(t, library, "C_CreateObject"), "what cannot be taken away is not written again")
}

// A process that reads a SoftHSM token spoils what another one writes attribute by attribute.
func TestWritingWhileAnotherProcessReads(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	ca := newAuthority(t)
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	id := only(t, m).ID
	reader := host.New(host.Options{
		Command: []string{self, "token-host"},
		Module:  host.Module{Name: "SoftHSM", Kind: "pkcs11", Path: softhsm},
		Window:  host.WindowConfig{Pinentry: tokentest.At(t.TempDir()).Folder()},
	})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _, _ = reader.Objects(t.Context(), id) // what it sees is another test's affair
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		require.NoError(t, reader.Close())
	})

	s := login(t, m, id)
	for range 24 {
		key, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.ECP256})
		require.NoError(t, err)
		chain := [][]byte{ca.issue(t, "Иван", key.Public), ca.issue(t, "its issuer", key.Public)}
		require.NoError(t, s.Install(t.Context(), key.ID, chain))
		keys, certificates, err := m.Objects(t.Context(), id)
		require.NoError(t, err)
		require.Contains(t, keys, key)
		for _, der := range chain {
			require.True(t, slices.ContainsFunc(certificates, func(c tokens.Certificate) bool { return slices.Equal(c.DER, der) }))
		}
	}
	shown := loggedIn(t, "one", "--list-objects")
	require.NotContains(t, shown, "unable to print")
}
