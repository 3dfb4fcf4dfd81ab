//go:build linux

package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/testbench/piv"
	"github.com/perosign/pero/tokens/tokentest"
)

// table is a house with a card reader.
type table struct {
	*house
	readers *testbench.Readers
	page    *api.Client
}

func newTable(t *testing.T) *table {
	readers := testbench.NewReaders(t)
	h := newHouse(t)
	return &table{h, readers, h.page(origin)}
}

// insert puts a card into a reader and waits until a page sees it; it gives the certificate whose key signs by the login alone.
func (b *table) insert(t *testing.T, reader int, card *piv.Card, label string) (*piv.Inserted, api.Certificate) {
	t.Helper()
	inserted := b.readers.Insert(t, reader, card)
	return inserted, b.certificate(t, label)
}

func (b *table) certificate(t *testing.T, label string) api.Certificate {
	t.Helper()
	token := b.token(b.page, label, there)
	list := certificates(t, b.page, token.ID)
	for _, c := range list {
		if c.KeyAlgorithm == "rsa-2048" {
			return c
		}
	}
	require.Fail(t, "the card has no RSA key", "%v", list)
	return api.Certificate{}
}

// signing asks for a signature and returns when its window is open. The PIN is typed when the file gate is there.
func (b *table) signing(t *testing.T, certificate, gate string) <-chan error {
	t.Helper()
	b.answer("after " + gate + " pin " + piv.PIN)
	result := make(chan error, 1)
	go func() {
		_, err := sign(context.Background(), b.page, certificate)
		result <- err
	}()
	require.Eventually(t, func() bool { return len(b.asked()) == 1 }, patience, tick)
	return result
}

// works tells that all is well again, without the agent having been started anew.
func (b *table) works(t *testing.T, card *piv.Card, label string) {
	t.Helper()
	c := b.certificate(t, label)
	before := card.Count(piv.Sign)
	b.answer("pin " + piv.PIN)
	r, err := sign(t.Context(), b.page, c.ID)
	require.NoError(t, err)
	verify(t, c, r.Results[0].Signature)
	require.Equal(t, before+1, card.Count(piv.Sign), "one signature, once")
	require.Equal(t, 3, card.Tries())
}

// A card is pulled out at each step of a signature. The reason is right, nothing is signed twice or later, no try of the PIN is lost, and once the
// card is back everything works.
func TestCardPulledOut(t *testing.T) {
	for name, at := range map[string]struct {
		pull     func(b *table, card *piv.Card, pull func())
		verified int // PINs that reach the card
		signed   int // signatures that it makes; none is seen by anybody
		windows  int
		reason   string
	}{
		"before the request": {func(b *table, _ *piv.Card, pull func()) { pull(); b.readers.Gone(b.t, 0) }, 0, 0, 0, "certificate_not_found"},
		"while the window is open": {func(b *table, _ *piv.Card, pull func()) {
			go func() {
				for len(b.asked()) == 0 && b.t.Context().Err() == nil {
					<-wait()
				}
				pull()
			}()
		}, 0, 0, 1, "token_removed"},
		"as the PIN comes": {func(_ *table, card *piv.Card, pull func()) {
			card.Before(func(instruction byte, data []byte) {
				if instruction == piv.Verify && len(data) > 0 {
					pull()
				}
			})
		}, 1, 0, 1, "token_removed"},
		"between the login and the signature": {func(_ *table, card *piv.Card, pull func()) {
			card.Before(func(byte, []byte) {
				if card.Count(piv.Verify) > 0 {
					pull()
				}
			})
		}, 1, 0, 1, "token_removed"},
		"in the midst of the signature": {func(_ *table, card *piv.Card, pull func()) {
			card.Before(func(instruction byte, _ []byte) {
				if instruction == piv.Sign {
					pull()
				}
			})
		}, 1, 0, 1, "token_removed"},
		"as the signature leaves it": {func(_ *table, card *piv.Card, pull func()) {
			card.After(func(instruction byte) {
				if instruction == piv.Sign {
					pull()
				}
			})
		}, 1, 1, 1, "token_removed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTable(t)
			card := piv.New("Ivanov Ivan")
			inserted, c := b.insert(t, 0, card, "Ivanov Ivan")
			right := "pin " + piv.PIN
			first := right
			if name == "while the window is open" {
				first = "after " + b.home + "/gone " + right
			}
			b.answer(first, right) // a person who would give the PIN once more
			at.pull(b, card, sync.OnceFunc(func() {
				inserted.Remove()
				if name == "while the window is open" {
					b.readers.Gone(t, 0)
					touch(t, b.home+"/gone")
				}
			}))
			onlySo := func(when string) {
				t.Helper()
				require.Len(t, b.asked(), at.windows, when)
				require.Equal(t, at.verified, card.Count(piv.Verify), when)
				require.Equal(t, at.signed, card.Count(piv.Sign), when)
			}
			_, err := sign(t.Context(), b.page, c.ID)
			require.Equal(t, at.reason, reasonOf(err), "%v", err)
			onlySo("when the page has its answer")
			require.Equal(t, at.verified > 0, outcomeUnknown(err), "what the card was at work on is not known, and of the rest it is: %v", err)

			card.Before(nil)
			card.After(nil)
			b.readers.Gone(t, 0)
			_, _ = b.insert(t, 0, card, "Ivanov Ivan")
			onlySo("when the card is back")
			b.works(t, card, "Ivanov Ivan")
			require.Equal(t, at.verified+1, card.Count(piv.Verify), "of the act before nothing was made up for")
			require.Equal(t, at.signed+1, card.Count(piv.Sign), "of the act before nothing was made up for")
		})
	}
}

// Another card of the same name is put into the reader while the window for the first is open: its PIN is not tried.
func TestCardSwapped(t *testing.T) {
	b := newTable(t)
	first, second := piv.New("Ivanov Ivan"), piv.New("Ivanov Ivan")
	inserted, c := b.insert(t, 0, first, "Ivanov Ivan")
	result := b.signing(t, c.ID, b.home+"/swapped")
	b.readers.Remove(t, 0, inserted)
	b.readers.Insert(t, 0, second)
	touch(t, b.home+"/swapped")
	err := <-result
	require.Equal(t, "token_removed", reasonOf(err), "%v", err)
	require.Zero(t, first.Count(piv.Verify)+second.Count(piv.Verify), "no PIN reached either card")
	require.Eventually(t, func() bool {
		list, err := b.page.Certificates(t.Context(), me, api.CertificatesParams{})
		require.NoError(t, err)
		for _, other := range list.Certificates {
			if other.ID == c.ID {
				return false
			}
		}
		return len(list.Certificates) > 0
	}, patience, tick, "the page sees the other card's certificates and no longer the first's")
	b.works(t, second, "Ivanov Ivan")
}

// The card service is restarted, and a reader comes without having been there at the agent's start.
func TestCardServiceRestarted(t *testing.T) {
	b := newTable(t)
	card := piv.New("Ivanov Ivan")
	b.insert(t, 0, card, "Ivanov Ivan")
	b.readers.Stop()
	require.Eventually(t, func() bool {
		list, err := b.page.Tokens(t.Context(), me)
		require.NoError(t, err)
		for _, token := range list.Tokens {
			if token.Label == "Ivanov Ivan" {
				return false
			}
		}
		return true
	}, patience, tick, "no card without the service")
	b.readers.Start()
	again := piv.New("Petrov Petr")
	b.insert(t, 1, again, "Petrov Petr")
	b.works(t, again, "Petrov Petr")
	b.readers.Insert(t, 0, card)
	b.works(t, card, "Ivanov Ivan")
}

// The reader itself is pulled out, card and all, and put in again.
func TestReaderReplugged(t *testing.T) {
	b := newTable(t)
	card := piv.New("Ivanov Ivan")
	_, c := b.insert(t, 0, card, "Ivanov Ivan")
	result := b.signing(t, c.ID, b.home+"/unplugged")
	b.readers.Unplug()
	touch(t, b.home+"/unplugged")
	err := <-result
	require.Equal(t, "token_removed", reasonOf(err), "%v", err)
	require.Zero(t, card.Count(piv.Verify))
	b.readers.Plug()
	b.readers.Insert(t, 1, card)
	b.works(t, card, "Ivanov Ivan")
}

// A card is pulled out while it makes a key, before and after the key is there. The application goes on when it is back: with one key, and the person asked anew.
func TestCardPulledOutWhileAKeyIsMade(t *testing.T) {
	for name, fault := range map[string]string{"before it is there": "hang C_GenerateKeyPair", "after it is there": "hangafter C_GenerateKeyPair"} {
		t.Run(name, func(t *testing.T) {
			h, library := counted(t, "key none")
			page := h.page(origin)
			params := api.EnrollParams{Token: h.token(page, "Test token", there).ID, Key: api.KeyParams{Algorithm: "ec-p256"}, Subject: api.Subject{CommonName: "Ivanov Ivan"}, RequestID: "once"}
			testmodule.Control(t, library, "key none", fault)
			h.answer("pin 1234")
			result := make(chan error, 1)
			go func() {
				_, err := page.BeginEnrollment(context.Background(), me, params)
				result <- err
			}()
			require.Eventually(t, func() bool { return testmodule.Calls(t, library, "C_GenerateKeyPair") == 1 }, patience, tick)
			testmodule.Control(t, library, "key none", fault, "present 0")
			err := <-result
			require.Equal(t, "token_removed", reasonOf(err), "%v", err)

			testmodule.Control(t, library, "key none")
			h.token(page, "Test token", there)
			h.answer("pin 1234")
			begun, err := page.BeginEnrollment(t.Context(), me, params)
			require.NoError(t, err)
			request, err := signature.ParseCSR(begun.CSR)
			require.NoError(t, err)
			done, err := page.CompleteEnrollment(t.Context(), me, api.CompleteParams{Enrollment: begun.Enrollment, Certificates: [][]byte{tokentest.NewAuthority(t).Issue(t, request.Public, "Ivanov Ivan")}})
			require.NoError(t, err)
			require.True(t, done.Certificate.HasPrivateKey)
			objects, err := os.ReadDir(library + ".control.objects")
			require.NoError(t, err)
			require.Len(t, objects, 3, "one pair of keys and one certificate")
			h.answer("pin 1234")
			r, err := sign(t.Context(), page, done.Certificate.ID)
			require.NoError(t, err)
			verify(t, done.Certificate, r.Results[0].Signature)
		})
	}
}

// Another program connects to the card in exclusive mode: it is said that the card is there and in use, and no PIN is asked for. When that
// program lets go all is well.
func TestCardHeldByAnotherProgram(t *testing.T) {
	readers := testbench.NewReaders(t)
	card := piv.New("Ivanov Ivan")
	readers.Insert(t, 0, card)
	letGo := readers.Hold(t, 0, true)
	h := newHouse(t)
	b := &table{h, readers, h.page(origin)}
	held := b.token(b.page, "Virtual PCD 00 00", there)
	require.Equal(t, "busy", held.State)
	b.answer("pin " + piv.PIN)
	_, err := sign(t.Context(), b.page, fingerprint(card, piv.Authentication))
	require.Equal(t, "token_busy", reasonOf(err), "%v", err)
	require.Empty(t, b.asked())
	out, err := b.run("tokens")
	require.NoError(t, err, out)
	require.Contains(t, out, "in use by another program")
	letGo()
	b.works(t, card, "Ivanov Ivan")
}

// Another program keeps a transaction open on the card. PC/SC does not tell that, and the module waits with it: it is ended in its time, no window opens, no
// PIN is tried, another token signs meanwhile, and when that program lets go all is well.
func TestCardInATransaction(t *testing.T) {
	soft := testbench.SoftHSM(t)
	testbench.Fill(t, soft, 1)
	readers := testbench.NewReaders(t)
	h := newHouse(t, soft)
	b := &table{h, readers, h.page(origin)}
	card := piv.New("Ivanov Ivan")
	_, c := b.insert(t, 0, card, "Ivanov Ivan")
	beside := certificates(t, b.page, b.token(b.page, soft.Label, there).ID)[0]

	letGo := readers.Hold(t, 0, false)
	b.answer("pin " + piv.PIN)
	_, err := sign(t.Context(), b.page, c.ID)
	require.Equal(t, "module_crashed", reasonOf(err), "%v", err)
	require.Empty(t, b.asked())
	r, err := sign(t.Context(), b.page, beside.ID)
	require.NoError(t, err)
	verify(t, beside, r.Results[0].Signature)
	require.Zero(t, card.Count(piv.Verify))
	letGo()
	b.works(t, card, "Ivanov Ivan")
}

// The transaction begins while the window is open. The login waits, other tokens are listed meanwhile, and when that program lets go the act goes on: with one
// try of the PIN and one signature.
func TestCardInATransactionBeforeTheLogin(t *testing.T) {
	b := newTable(t)
	card := piv.New("Ivanov Ivan")
	_, c := b.insert(t, 0, card, "Ivanov Ivan")
	result := b.signing(t, c.ID, b.home+"/held")
	letGo := b.readers.Hold(t, 0, false)
	touch(t, b.home+"/held")
	list, err := b.page.Tokens(t.Context(), me)
	require.NoError(t, err)
	require.Len(t, list.Tokens, 1, "the key file, and not the card that cannot be read")
	require.Zero(t, card.Count(piv.Verify))
	letGo()
	require.NoError(t, <-result)
	require.Equal(t, 1, card.Count(piv.Verify))
	require.Equal(t, 1, card.Count(piv.Sign))
	b.works(t, card, "Ivanov Ivan")
}

// fingerprint is a certificate's id in the protocol.
func fingerprint(card *piv.Card, slot byte) string {
	for _, k := range card.Keys() {
		if k.Slot == slot {
			return fmt.Sprintf("%x", sha256.Sum256(k.Certificate))
		}
	}
	return ""
}
