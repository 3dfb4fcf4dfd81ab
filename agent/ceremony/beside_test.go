package ceremony

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// certificateOf gives the one certificate that a store has.
func (h *house) certificateOf(store tokens.Store) api.Certificate {
	h.t.Helper()
	all, err := store.Tokens(h.t.Context())
	require.NoError(h.t, err)
	list, err := h.Certificates(h.t.Context(), page, api.CertificatesParams{})
	require.NoError(h.t, err)
	i := slices.IndexFunc(list.Certificates, func(c api.Certificate) bool { return c.Token == string(all[0].ID) })
	require.GreaterOrEqual(h.t, i, 0)
	return list.Certificates[i]
}

// What a library does to its own token it does to no other library's: while one dies, hangs, is busy or lies in an act of the person, another signs in the
// same agent, and afterwards the one works again.
func TestSoundModuleBesideAFaultyOne(t *testing.T) {
	// There is one window at a time, also while the PIN is put to its card, and between the documents of a card, where further windows may follow. So the
	// one signs one document here, and no login hangs.
	for fault, functions := range map[string][]string{
		"segv":   {"C_GetSlotList", "C_FindObjects", "C_Login", "C_Sign"},
		"exit":   {"C_GetSlotList", "C_FindObjects", "C_Login", "C_Sign"},
		"hang":   {"C_GetSlotList", "C_FindObjects", "C_Sign"},
		"spin":   {"C_GetSlotList", "C_FindObjects", "C_Sign"},
		"count":  {"C_GetSlotList 0x80000000", "C_FindObjects 0xffffffffffffffff", "C_Sign 64 0x80000000"},
		"fail":   {"C_Login 0x80000001"},
		"length": {"0x11 0x80000000"},
	} {
		for _, function := range functions {
			t.Run(fault+" "+function, func(t *testing.T) {
				t.Parallel()
				faulty, sound := testmodule.Build(t), testmodule.Build(t)
				testmodule.Control(t, faulty)
				testmodule.Control(t, sound)
				h := furnish(t, t.TempDir(), &scripted{}, hostedModule(t, host.Module{Name: "Faulty", Kind: "pkcs11", Path: faulty}))
				h.stores = append(h.stores, hostedModule(t, host.Module{Name: "Sound", Kind: "pkcs11", Path: sound}))
				bad, good := h.certificateOf(h.stores[0]), h.certificateOf(h.stores[1])

				testmodule.Control(t, faulty, fault+" "+function)
				ended := make(chan error, 1)
				go func() {
					one := three(bad)
					one.Documents = one.Documents[:1]
					_, err := h.Sign(t.Context(), page, one)
					ended <- err
				}()
				stays := fault == "hang" || fault == "spin"
				if stays {
					require.Eventually(t, func() bool { return testmodule.Calls(t, faulty, "hangs "+function) > 0 }, time.Minute, time.Millisecond)
				}
				for {
					p := three(good)
					r, err := h.Sign(t.Context(), page, p)
					require.NoError(t, err)
					h.holds(sound, "ec", r, p)
					if stays {
						require.Empty(t, ended)
						testmodule.Control(t, faulty)
						require.NoError(t, <-ended)
						break
					}
					if len(ended) > 0 {
						require.Error(t, <-ended)
						break
					}
				}
				testmodule.Control(t, faulty)
				h.until(func() error {
					_, err := h.Sign(t.Context(), page, three(bad))
					return err
				})
			})
		}
	}
}
