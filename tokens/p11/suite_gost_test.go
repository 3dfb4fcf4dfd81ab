package p11_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/tokentest"
)

// card is the suite on the test module's token, empty and with settings.
func card(store func(t *testing.T, person *tokentest.Person, library string) tokens.Store, settings ...string) tokentest.Config {
	var library string
	settings = append([]string{"key none"}, settings...)
	return tokentest.Config{
		Store: func(t *testing.T, person *tokentest.Person) tokens.Store {
			library = testmodule.Build(t)
			testmodule.Control(t, library, settings...)
			return store(t, person, library)
		},
		PIN:      "1234",
		WrongPIN: "4321432143214321",
		Change:   func(t *testing.T, _ tokens.Store) { testmodule.Control(t, library, "key none", "present 0") },
		OneLogin: true,
		Locks:    true,
	}
}

func attended(t *testing.T, person *tokentest.Person, library string) tokens.Store {
	m := p11.New(p11.Config{Name: "Test", Path: library})
	t.Cleanup(func() { m.Close() })
	return host.Attended(m, person)
}

func TestSuiteOnGOSTToken(t *testing.T) {
	for name, settings := range map[string][]string{
		"as Rutoken": nil,
		"as OpenSC":  {"raw 0"},
		"hashing":    {"model Hashing card"},
	} {
		for _, algorithm := range []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512} {
			t.Run(name+", "+string(algorithm), func(t *testing.T) {
				c := card(attended, settings...)
				c.Algorithms = []tokens.KeyAlgorithm{algorithm}
				tokentest.Suite(t, c)
			})
		}
	}
}

func TestSuiteOnGOSTTokenInChildren(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	hosted := func(t *testing.T, person *tokentest.Person, library string) tokens.Store {
		s := host.New(host.Options{
			Command: []string{self, "token-host"},
			Module:  host.Module{Name: "Test", Kind: "pkcs11", Path: library},
			Window:  host.WindowConfig{Pinentry: person.Folder()},
		})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	for name, settings := range map[string][]string{"as Rutoken": nil, "hashing": {"model Hashing card"}} {
		t.Run(name, func(t *testing.T) {
			c := card(hosted, settings...)
			c.OneLogin = false // a process for each login
			c.Algorithms = []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512}
			tokentest.Suite(t, c)
		})
	}
}
