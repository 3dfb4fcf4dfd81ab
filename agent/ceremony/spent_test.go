package ceremony

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Wrong PINs for single signatures of a set end the act at three, and count against the site although one document was signed.
func TestWrongPINsInTheMidstOfASet(t *testing.T) {
	h, library, certificate := card(t, "always 1", "key ec", "tries 99")
	asked := 0
	h.window.typed = func(tokens.PINState) string {
		if asked++; asked == 1 {
			return pin
		}
		return "9999"
	}
	p := three(certificate)
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	failed := 0
	for _, s := range r.Results {
		if s.Error != nil {
			require.Equal(t, api.PINIncorrect, s.Error.Reason)
			failed++
		}
	}
	require.Equal(t, 2, failed)
	octets, err := os.ReadFile(library + ".control.tries")
	require.NoError(t, err)
	require.Equal(t, "3", strings.TrimSpace(string(octets)), "three wrong PINs end the act")
	before := h.window.count()
	_, err = h.Sign(t.Context(), page, p)
	refused(t, api.RateLimited, err)
	require.Equal(t, before, h.window.count())
}
