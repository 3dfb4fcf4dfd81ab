package p11_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/tokentest"
)

// TestMain lets the test binary be its own token-host.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "token-host" {
		err := host.Serve(context.Background(), os.Stdin, os.Stdout, func(o host.Options) (tokens.Module, host.Window, error) {
			return p11.New(p11.Config{Name: o.Module.Name, Path: o.Module.Path}), tokentest.At(o.Window.Pinentry), nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func suite(store func(t *testing.T, person *tokentest.Person) tokens.Store) tokentest.Config {
	return tokentest.Config{
		Store: func(t *testing.T, person *tokentest.Person) tokens.Store {
			newSoftHSM(t)
			initToken(t, "one")
			return store(t, person)
		},
		PIN:      userPIN,
		WrongPIN: "12345679",
		Change:   func(t *testing.T, _ tokens.Store) { initToken(t, "another") },
		OneLogin: true,
	}
}

func TestSuite(t *testing.T) {
	tokentest.Suite(t, suite(func(t *testing.T, person *tokentest.Person) tokens.Store {
		return host.Attended(open(t), person)
	}))
}

func TestSuiteInChildren(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	c := suite(func(t *testing.T, person *tokentest.Person) tokens.Store {
		s := host.New(host.Options{
			Command: []string{self, "token-host"},
			Module:  host.Module{Name: "SoftHSM", Kind: "pkcs11", Path: softhsm},
			Window:  host.WindowConfig{Pinentry: person.Folder()},
		})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	})
	c.OneLogin = false // a process for each login
	c.Algorithms = []tokens.KeyAlgorithm{tokens.RSA2048, tokens.ECP521}
	tokentest.Suite(t, c)
}

func TestModuleThatCrashesInItsChild(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	library := testmodule.Build(t)
	testmodule.Control(t, library)
	person := tokentest.At(t.TempDir())
	store := host.New(host.Options{
		Command: []string{self, "token-host"},
		Module:  host.Module{Name: "Test", Kind: "pkcs11", Path: library},
		Window:  host.WindowConfig{Pinentry: person.Folder()},
	})
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	list, err := store.Tokens(t.Context())
	require.NoError(t, err)

	person.Answer(tokentest.PIN("1234"))
	s, err := store.Open(t.Context(), list[0].ID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(t, err)
	testmodule.Control(t, library, "crash C_Sign")
	_, err = s.Sign(t.Context(), "01", sha, make([]byte, 32))
	require.ErrorIs(t, err, tokens.ErrModuleCrashed)
	require.NoError(t, s.Close())
	again, err := store.Tokens(t.Context())
	require.NoError(t, err, "the process that lists is another one")
	require.Equal(t, list, again)

	testmodule.Control(t, library)
	person.Answer(tokentest.PIN("1234"))
	require.Eventually(t, func() bool { // after a pause
		s, err = store.Open(t.Context(), list[0].ID, tokens.Prompt{Act: tokens.ActSign})
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	sign(t, s, keys[0])
	require.NoError(t, s.Close())
	require.Equal(t, 2, testmodule.Calls(t, library, "C_Login"), "nothing was repeated by itself")
}
