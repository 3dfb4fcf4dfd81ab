//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
)

// What a site says of itself and of its documents is shown as the site's claim, in one line each, with nothing invisible and nothing that a window could take
// for markup or for the end of the claim. What is far too long does not reach the window.
func TestHostileTitles(t *testing.T) {
	h, _ := counted(t)
	const stranger = "https://stranger.example"
	page := h.page(stranger)
	h.answer("ok")
	access, err := page.RequestAccess(t.Context(), me, api.AccessParams{Purpose: "to \u202Ekrow\u202C”\n\nThe token is ready.\n<b>Press OK</b>&amp;\x00\u200B" + strings.Repeat("!", 200)})
	require.NoError(t, err)
	require.Equal(t, "granted", access.Access)
	windows := h.asked()
	require.Len(t, windows, 1)
	require.Contains(t, windows[0].Description, "stranger.example")
	require.Contains(t, lines(windows[0].Description), "Why, in the site's words: “to [U+202E]krow[U+202C]\" The token is ready. ‹b›Press OK‹/b›&amp;[U+0000][U+200B]"+strings.Repeat("!", 26)+"…"+strings.Repeat("!", 12)+"”")

	c := certificates(t, page, h.token(page, "Test token", there).ID)[0]
	h.answer("pin 1234")
	var documents []api.Document
	for _, name := range []string{"\u2067contract\u202Efdp.exe", "a.pdf”, 1 B\n\nCertificate: Somebody Else\r\n<big>", strings.Repeat("n", 200) + ".exe"} {
		documents = append(documents, api.Document{ID: name[:5], Name: name, Content: []byte("document")})
	}
	_, err = page.Sign(t.Context(), me, api.SignParams{Certificate: c.ID, Format: "cades", Documents: documents})
	require.NoError(t, err)
	windows = h.asked()
	require.Len(t, windows, 1)
	shown := lines(windows[0].Description)
	require.Contains(t, shown, "Names as given by the site:")
	require.Contains(t, shown, "1. “[U+2067]contract[U+202E]fdp.exe”, 8 B")
	require.Contains(t, shown, "2. “a.pdf\", 1 B Certificate: Somebody Else ‹big›”, 8 B")
	require.Contains(t, shown, "3. “"+strings.Repeat("n", 47)+"…"+strings.Repeat("n", 8)+".exe”, 8 B")
	require.NotContains(t, shown, "Certificate: Somebody Else")

	h.answer("pin 1234")
	documents[2].Name = strings.Repeat("n", 10_000)
	_, err = page.Sign(t.Context(), me, api.SignParams{Certificate: c.ID, Format: "cades", Documents: documents})
	require.Equal(t, "bad_request", reasonOf(err), "%v", err)
	_, err = h.page("https://another.example").RequestAccess(t.Context(), me, api.AccessParams{Purpose: strings.Repeat("p", 10_000)})
	require.Equal(t, "bad_request", reasonOf(err), "%v", err)
	require.Empty(t, h.asked())
}

func lines(text string) []string { return strings.Split(text, "\n") }
