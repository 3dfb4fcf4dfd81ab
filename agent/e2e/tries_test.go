//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/testbench/piv"
)

// counted is a house with a token that counts the tries of its PIN and can be asked how often it was.
func counted(t *testing.T, settings ...string) (*house, string) {
	t.Helper()
	library := testmodule.Build(t)
	testmodule.Control(t, library, settings...)
	return newHouse(t, testbench.Carrier{Name: "Test", Path: library}), library
}

// Pages ask for a signature a hundred times, one site's until the person has refused two, another's until the window is open: then they leave. The PIN is
// never tried, and the windows are few.
func TestPagesThatAskAHundredTimes(t *testing.T) {
	h, library := counted(t)
	h.allow(t, fmt.Sprintf("%q", siteOf(1)))
	page := h.page(origin)
	c := certificates(t, page, h.token(page, "Test token", there).ID)[0]
	reasons := map[string]int{}
	h.answer("cancel")
	for range 50 {
		_, err := sign(t.Context(), page, c.ID)
		reasons[reasonOf(err)]++
	}
	require.Equal(t, map[string]int{"user_cancelled": 2, "rate_limited": 48}, reasons)
	require.Len(t, h.asked(), 2)

	left := 0
	for range 50 {
		h.answer("hang")
		leaving := h.page(siteOf(1))
		result := make(chan error, 1)
		go func() {
			_, err := sign(t.Context(), leaving, c.ID)
			result <- err
		}()
		require.Eventually(t, func() bool { return len(result)+len(h.asked()) > 0 }, patience, tick)
		left += len(h.asked())
		require.NoError(t, leaving.Close())
		if err := <-result; len(h.asked()) == 0 {
			require.Equal(t, "rate_limited", reasonOf(err), "%v", err)
		}
	}
	require.Equal(t, 6, left, "five are free, as reloads are")
	require.Zero(t, testmodule.Calls(t, library, "C_Login"))
	require.Equal(t, "ready", h.token(h.page(origin), "Test token", there).State)
	out, err := h.run("tokens")
	require.NoError(t, err, out)
	require.Contains(t, out, "ready")
}

// Each of fifty sites has its two windows that the person refuses, and no more.
func TestFiftySitesThatAreRefused(t *testing.T) {
	h, library := counted(t)
	pages := fifty(t, h)
	c := certificates(t, pages[0], h.token(pages[0], "Test token", there).ID)[0]
	h.answer("cancel")
	for _, want := range []string{"user_cancelled", "user_cancelled", "rate_limited", "rate_limited"} {
		for _, p := range pages {
			_, err := sign(t.Context(), p, c.ID)
			require.Equal(t, want, reasonOf(err), "%v", err)
		}
	}
	require.Len(t, h.asked(), 2*len(pages))
	require.Zero(t, testmodule.Calls(t, library, "C_Login"))
}

// Fifty sites ask at once. One window is open; three sites wait behind it and the others are told so. What the person mistypes for them all
// together is no more than one site may cost: three tries in an hour, and then only what the person starts.
func TestFiftySitesAtOnce(t *testing.T) {
	h, library := counted(t, "tries 10")
	pages := fifty(t, h)
	sites := len(pages)
	c := certificates(t, pages[0], h.token(pages[0], "Test token", there).ID)[0]

	h.answer("after "+h.home+"/go pin 9999", "pin 8888", "pin 7777", "pin 6666", "pin 5555", "pin 4444", "pin 3333", "pin 2222")
	results := make(chan error, sites)
	for _, p := range pages {
		go func() {
			_, err := sign(t.Context(), p, c.ID)
			results <- err
		}()
	}
	var busy int
	for range sites - 4 { // one at the window, three in line
		err := <-results
		require.Equal(t, "busy", reasonOf(err), "%v", err)
		busy++
	}
	require.Equal(t, sites-4, busy)
	require.Len(t, h.asked(), 1, "one window for fifty sites")
	touch(t, h.home+"/go")
	reasons := map[string]int{}
	for range 4 {
		reasons[reasonOf(<-results)]++
	}
	require.Equal(t, map[string]int{"pin_incorrect": 1, "rate_limited": 3}, reasons, "the first site used up what all may")
	require.Equal(t, 3, testmodule.Calls(t, library, "C_Login"))

	for _, p := range pages { // and whoever asks now does not reach a window
		_, err := sign(t.Context(), p, c.ID)
		require.Equal(t, "rate_limited", reasonOf(err), "%v", err)
	}
	require.Len(t, h.asked(), 3)
	require.Equal(t, 3, testmodule.Calls(t, library, "C_Login"))

	// The person's own act ends it.
	h.answer("pin 1234")
	document := h.home + "/document.txt"
	require.NoError(t, os.WriteFile(document, []byte("document"), 0o600))
	out, err := h.run("sign", "--certificate", c.ID, document)
	require.NoError(t, err, out)
	h.answer("pin 1234")
	_, err = sign(t.Context(), pages[sites-1], c.ID)
	require.NoError(t, err)
	require.Equal(t, 5, testmodule.Calls(t, library, "C_Login"))
}

// A page that leaves after a wrong PIN, when the window has just said so, has spent that try like any other.
func TestPageThatLeavesAfterAWrongPIN(t *testing.T) {
	for name, c := range map[string]struct {
		secrets  []string
		function string
		ask      func(ctx context.Context, p *api.Client, token, certificate string) error
	}{
		"signature": {[]string{"pin 9999", "hang"}, "C_Login", func(ctx context.Context, p *api.Client, _, certificate string) error {
			_, err := sign(ctx, p, certificate)
			return err
		}},
		"new PIN": {[]string{"pin 9999", "pin 4321", "hang"}, "C_SetPIN", func(ctx context.Context, p *api.Client, token, _ string) error {
			return p.CarrierPIN(ctx, api.Caller{}, api.PINParams{Token: token})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h, library := counted(t, "tries 10")
			page := h.page(origin)
			token := h.token(page, "Test token", there).ID
			certificate := certificates(t, page, token)[0].ID
			h.answer(c.secrets...)
			leaving := h.page(origin)
			ctx, leave := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- c.ask(ctx, leaving, token, certificate) }()
			require.Eventually(t, func() bool { return len(h.asked()) == len(c.secrets) }, patience, tick)
			leave()
			require.NoError(t, leaving.Close())
			require.Error(t, <-result)
			require.Eventually(t, func() bool { return reasonOf(c.ask(t.Context(), page, token, certificate)) == "rate_limited" }, patience, tick, "the site waits")
			require.Len(t, h.asked(), len(c.secrets))
			require.Equal(t, 1, testmodule.Calls(t, library, c.function))
		})
	}
}

// fifty gives a page of each of as many sites that may ask.
func fifty(t *testing.T, h *house) []*api.Client {
	t.Helper()
	allow := []string{}
	for i := range 50 {
		allow = append(allow, fmt.Sprintf("%q", siteOf(i)))
	}
	h.allow(t, strings.Join(allow, ", "))
	pages := make([]*api.Client, len(allow))
	for i := range pages {
		pages[i] = h.page(siteOf(i))
	}
	return pages
}

func siteOf(i int) string { return fmt.Sprintf("https://site%d.example", i) }

// Before the last try the person is asked once more, and a No costs nothing; the card itself counts.
func TestLastTryOfACard(t *testing.T) {
	b := newTable(t)
	card := piv.New("Ivanov Ivan")
	_, c := b.insert(t, 0, card, "Ivanov Ivan")
	b.answer("pin 111111", "pin 222222", "cancel")
	_, err := sign(t.Context(), b.page, c.ID)
	require.Equal(t, "pin_incorrect", reasonOf(err), "%v", err)
	windows := b.asked()
	require.Len(t, windows, 3)
	require.Equal(t, []string{"getpin", "getpin", "confirm"}, []string{windows[0].Command, windows[1].Command, windows[2].Command})
	require.Contains(t, windows[1].Error, "refused")
	require.Contains(t, windows[2].Description, "Only one try is left")
	require.Equal(t, 1, card.Tries())
	require.Equal(t, 2, card.Count(piv.Verify), "one try for each PIN typed")

	out, err := b.run("tokens")
	require.NoError(t, err, out)
	require.Contains(t, out, "last try")
	// What the person starts is asked twice too; a PIN of a length that cannot be is not sent.
	document := b.home + "/document.txt"
	require.NoError(t, os.WriteFile(document, []byte("document"), 0o600))
	b.answer("ok", "pin 1", "ok", "pin "+piv.PIN)
	out, err = b.run("sign", "--certificate", c.ID, document)
	require.NoError(t, err, out)
	windows = b.asked()
	require.Equal(t, []string{"confirm", "getpin", "confirm", "getpin"}, []string{windows[0].Command, windows[1].Command, windows[2].Command, windows[3].Command})
	require.Equal(t, 3, card.Count(piv.Verify))
	require.Equal(t, 3, card.Tries(), "the right PIN gives the tries back")
}
