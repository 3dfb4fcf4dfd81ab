package ceremony

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/tokens"
)

// A site waits after a wrong PIN, also where another one beside it got no answer; one without an answer alone counts for the hour only. The journal says the
// same to the agent that starts next.
func TestPINsWithAnAnswerAndWithout(t *testing.T) {
	const token = tokens.ID("0123456789abcdef0123456789abcdef")
	wrong := &tokens.Refused{Times: 1, Err: tokens.ErrPINIncorrect}
	silent := &tokens.Refused{Times: 1, Err: fmt.Errorf("%w: %w", tokens.ErrModuleCrashed, tokens.ErrOutcomeUnknown)}
	both := &tokens.Refused{Times: 2, Err: silent.Err}
	flood := &tokens.Refused{Times: 1 << 30, Err: silent.Err}
	for name, c := range map[string]struct {
		errs   []error
		waits  bool
		counts int
	}{
		"wrong": {[]error{wrong}, true, 1}, "silent": {[]error{silent}, false, 1}, "both in one": {[]error{both}, true, 2},
		"both in two": {[]error{wrong, silent}, true, 1}, "of a hostile library": {[]error{flood}, true, wrongPerHour},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			var kept []journal.Record
			g := func() *guard {
				return &guard{now: func() time.Time { return now }, records: func(f func(journal.Record) error) error {
					for _, r := range kept {
						if err := f(r); err != nil {
							return err
						}
					}
					return nil
				}}
			}
			running := g()
			require.NoError(t, running.allow(portal, token))
			d := journal.Decision{Origin: portal, Act: string(tokens.ActSign), Token: string(token), Result: "failed"}
			if d.Tries = running.spent(portal, token, tokens.ActSign, c.errs...); !c.waits {
				d.Outcome = "unknown"
			}
			kept = append(kept, journal.Record{Time: now, Decision: &d})
			for _, g := range []*guard{running, g()} {
				require.Equal(t, c.waits, g.allow(portal, token) != nil)
				require.Equal(t, c.counts == wrongPerHour, g.allow("https://other.example", token) != nil)
				require.Len(t, g.tokens[token].times, c.counts)
			}
		})
	}
}
