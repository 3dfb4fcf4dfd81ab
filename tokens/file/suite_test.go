package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/tokentest"
)

// children are what the test binary can be when it is started by a test, by its first argument.
var children = map[string]func(args []string) error{
	"make-keys":   makeKeys,
	"delete-keys": deleteKeys,
	"change-pins": changePINs,
	"token-host": func([]string) error {
		return host.Serve(context.Background(), os.Stdin, os.Stdout, func(o host.Options) (tokens.Module, host.Window, error) {
			return file.New(o.Module.Path), tokentest.At(o.Window.Pinentry), nil
		})
	},
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			if err := child(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

func config(store func(t *testing.T, folder string, person *tokentest.Person) tokens.Store) tokentest.Config {
	var folder string // of the present subtest
	return tokentest.Config{
		Store: func(t *testing.T, person *tokentest.Person) tokens.Store {
			folder = filepath.Join(t.TempDir(), "keys")
			return store(t, folder, person)
		},
		PIN:      "пароль 1234",
		WrongPIN: "пароль 4321",
		Change: func(t *testing.T, _ tokens.Store) {
			m := file.New(folder)
			s := login(t, m, newStore(t, m).ID, "1234")
			_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
			require.NoError(t, err)
		},
	}
}

func TestSuite(t *testing.T) {
	tokentest.Suite(t, config(func(_ *testing.T, folder string, person *tokentest.Person) tokens.Store {
		return host.Attended(file.New(folder), person)
	}))
}

func TestSuiteInChildren(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	c := config(func(t *testing.T, folder string, person *tokentest.Person) tokens.Store {
		s := host.New(host.Options{
			Command: []string{self, "token-host"},
			Module:  host.Module{Name: "file", Kind: "file", Path: folder},
			Window:  host.WindowConfig{Pinentry: person.Folder()},
		})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	})
	c.Algorithms = []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.RSA2048, tokens.ECP521} // the others differ in nothing that a pipe would see
	tokentest.Suite(t, c)
}
