package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

// asking is a child with one request under way and no process.
func asking(k kind) (*child, *call) {
	c := &child{limits: limits{}.orDefault(), calls: map[uint32]*call{}, out: &frameWriter{out: discarded{}}}
	_, w, _ := c.begin(k, time.Second, nil, nil)
	return c, w
}

type discarded struct{}

func (discarded) Write(b []byte) (int, error) { return len(b), nil }

// waiting is the body of a frame of that kind.
func waiting(person bool) []byte {
	var e encoder
	e.truth(person)
	return e.b
}

// A library can write to the pipe of its process: it gets neither time without end, nor more of a count than a person can cause.
func TestChildThatNeverEnds(t *testing.T) {
	for name, frame := range map[string]struct {
		kind kind
		body []byte
	}{"logins": {kindLogin, nil}, "windows": {kindWaiting, waiting(true)}} {
		t.Run(name, func(t *testing.T) {
			c, _ := asking(kindOpen)
			for range mostWindows {
				require.NoError(t, c.take(1, frame.kind, frame.body))
			}
			require.ErrorIs(t, c.take(1, frame.kind, frame.body), errFrame)
		})
	}

	c, _ := asking(kindOpen)
	require.ErrorIs(t, c.take(1, kindWaiting, waiting(false)), errFrame, "it waits for nobody")
	require.NoError(t, c.take(1, kindWaiting, waiting(true)))
	require.NoError(t, c.take(1, kindWaiting, waiting(false)))
	require.ErrorIs(t, c.take(1, kindWaiting, waiting(false)), errFrame)

	c, w := asking(kindTokens)
	require.NoError(t, c.take(1, kindWaiting, waiting(false)), "a long list tells that it goes on")
	moved := w.deadline
	w.latest = moved.Add(-time.Millisecond)
	require.NoError(t, c.take(1, kindWaiting, waiting(false)))
	require.Equal(t, w.latest, w.deadline, "not for ever")
}

// What a window follows has had its answer: only what comes after it can be unknown.
func TestUnansweredIsTheLastOnly(t *testing.T) {
	for name, k := range map[string]kind{"login": kindOpen, "signature": kindSign, "change of a PIN": kindManage} {
		t.Run(name, func(t *testing.T) {
			c, w := asking(k)
			for range 2 {
				require.NoError(t, c.take(1, kindWaiting, waiting(true)))
				require.NotErrorIs(t, w.unanswered(tokens.ErrModuleCrashed), tokens.ErrOutcomeUnknown)
				require.NoError(t, c.take(1, kindWaiting, waiting(false)))
				require.NoError(t, c.take(1, kindLogin, nil))
				require.ErrorIs(t, w.unanswered(tokens.ErrModuleCrashed), tokens.ErrOutcomeUnknown)
			}
			require.NoError(t, c.take(1, kindWaiting, waiting(true)))
			err := w.unanswered(tokens.ErrModuleCrashed)
			require.NotErrorIs(t, err, tokens.ErrOutcomeUnknown)
			var refused *tokens.Refused
			require.ErrorAs(t, err, &refused)
			require.Equal(t, 2, refused.Times)
		})
	}
}
