//go:build linux

package host_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

func (c *chain) change(ctx context.Context) error {
	return c.store.ChangePIN(ctx, c.id, tokens.Prompt{Origin: "https://portal.example", Language: "en"})
}

// Through a child: the window says who asks for what, and afterwards the token is listed as it is.
func TestPINIsChangedThroughAChild(t *testing.T) {
	c := newChain(t, "tobechanged 1")
	pinentrytest.SetAnswers(t, c.answers, "pin 1234", "pin 4321")
	require.NoError(t, c.change(t.Context()))
	shown := c.windows(t)
	require.Len(t, shown, 2)
	for _, d := range shown {
		require.Contains(t, d.Description, "https://portal.example\nasks to change the token's PIN")
	}
	require.Empty(t, shown[0].Repeat)
	require.NotEmpty(t, shown[1].Repeat, "the new one is typed twice")
	list, err := c.store.Tokens(t.Context())
	require.NoError(t, err)
	require.False(t, list[0].ToBeChanged)
	require.Equal(t, tokens.PINPolicy{Min: 4, Max: 16}, list[0].NewPIN)
	require.Equal(t, tokens.SOPIN, list[0].Reset)
	require.Equal(t, tokens.Ready, list[0].ResetState)
}

// A module that dies under a PIN may have tried it: the outcome is unknown, and nothing is tried again.
func TestModuleDiesWhileThePINIsChanged(t *testing.T) {
	c := newChain(t, "crash C_SetPIN")
	pinentrytest.SetAnswers(t, c.answers, "pin 1234", "pin 4321")
	require.ErrorIs(t, c.change(t.Context()), tokens.ErrModuleCrashed)
	require.Equal(t, 1, testmodule.Calls(t, c.library, "C_SetPIN"))
	require.Len(t, c.windows(t), 2)
}

// Who leaves while a window is open has it closed, and nothing is sent later.
func TestChangeOfThePINIsAbandoned(t *testing.T) {
	c := newChain(t)
	pinentrytest.SetAnswers(t, c.answers, "pin 1234", "hang")
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.change(ctx) }()
	require.Eventually(t, func() bool { return len(c.windows(t)) == 2 }, time.Minute, 5*time.Millisecond)
	leave()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Zero(t, testmodule.Calls(t, c.library, "C_SetPIN"))
	pinentrytest.SetAnswers(t, c.answers, "pin 1234", "pin 4321")
	require.NoError(t, c.change(t.Context()))
}

func TestTokenIsErasedThroughAChild(t *testing.T) {
	c := newChain(t)
	pinentrytest.SetAnswers(t, c.answers, "ok", "ok", "pin 87654321", "pin 4321")
	made, err := c.store.Initialize(t.Context(), c.id, tokens.Prompt{Name: "anew", Language: "en",
		Lost: []tokens.PromptLoss{{Key: true, Name: "Worn key"}}})
	require.NoError(t, err)
	shown := c.windows(t)
	require.Equal(t, []string{"confirm", "confirm", "getpin", "getpin"}, []string{shown[0].Command, shown[1].Command, shown[2].Command, shown[3].Command})
	require.Contains(t, shown[0].Description, "the key “Worn key”")
	require.Equal(t, "Erase everything", shown[1].OK)
	list, err := c.store.Tokens(t.Context())
	require.NoError(t, err)
	require.Equal(t, made, list[0])
	keys, certificates, err := c.store.Objects(t.Context(), made.ID)
	require.NoError(t, err)
	require.Empty(t, keys)
	require.Empty(t, certificates)
}
