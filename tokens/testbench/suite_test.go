//go:build linux

package testbench_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/cards"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/tokentest"
)

// TestMain lets the test binary be its own token-host.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "token-host" {
		err := host.Serve(context.Background(), os.Stdin, os.Stdout, func(o host.Options) (tokens.Module, host.Window, error) {
			return p11.New(p11.Config{Name: o.Module.Name, Path: o.Module.Path, Parameters: o.Module.Parameters}), tokentest.At(o.Window.Pinentry), nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testbench.Main(m)
}

// open gives the store of a carrier, in children as the agent has it.
func open(t *testing.T, c testbench.Carrier, person *tokentest.Person) *host.Store {
	s := host.New(host.Options{
		Command: []string{os.Args[0], "token-host"},
		Module:  host.Module{Name: c.Name, Kind: "pkcs11", Path: c.Path, Parameters: c.Parameters},
		Window:  host.WindowConfig{Pinentry: person.Folder()},
	})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSuite(t *testing.T) {
	testbench.Need(t)
	readers := testbench.NewReaders(t)
	piv := func(t testbench.T) testbench.Carrier { return testbench.PIV(t, readers, 0) }
	for name, prepare := range map[string]func(testbench.T) testbench.Carrier{
		"SoftHSM": testbench.SoftHSM, "PIV": piv, "TPM": testbench.TPM, "NSS": testbench.NSS, "opencryptoki": testbench.OpenCryptoki, "GOST": testbench.GOST,
	} {
		t.Run(name, func(t *testing.T) {
			var c testbench.Carrier
			tokentest.Suite(t, tokentest.Config{
				Store: func(t *testing.T, person *tokentest.Person) tokens.Store {
					c = prepare(t)
					return open(t, c, person)
				},
				PIN: testbench.PIN, WrongPIN: testbench.WrongPIN,
				Change: func(*testing.T, tokens.Store) { c.Change() },
				Locks:  true,
				Cannot: func(what string) bool {
					return cards.Cannot(c.Library, c.Maker, what) || what == tokentest.Share && c.Apart || what == tokentest.Events && c.Change == nil
				},
				// One of each family: more take minutes on two processors.
				Algorithms: []tokens.KeyAlgorithm{tokens.RSA2048, tokens.ECP256, tokens.ECP384, tokens.GOST2012256, tokens.GOST2012512},
			})
		})
	}
}
