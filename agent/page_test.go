package main_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// What only the person may do does not exist for a page that was let in, under any name that it could have: no window opens, and nothing reaches
// the token.
func TestPageCannotManageTokens(t *testing.T) {
	const origin = "https://portal.example"
	library := testmodule.Build(t)
	testmodule.Control(t, library)
	a := startAgent(t, fmt.Sprintf("[sites]\nallow = [%q]\n[[modules]]\nname = \"Test\"\npath = %q\n", origin, library))
	s := a.until("the token is there", func(s local.State) bool { return tokenNamed(s, "Test token") != nil })
	params := map[string]string{"token": tokenNamed(s, "Test token").ID, "act": local.ChangePIN}

	methods := []string{
		"tokens.init", "tokens.initialize", "tokens.contents", "tokens.delete", "tokens.import", "tokens.pin",
		"carriers.init", "carriers.initialize", "carriers.contents", "carriers.delete", "carriers.import", "carriers.changePIN", "carriers.resetPIN",
		"pin.change", "pin.set", "pin.unblock", "pin.reset", "keys.delete", "keys.import", "certificates.delete", "sites.revoke", "sites.block",
	}
	for m := range reflect.TypeFor[local.Person]().Methods() {
		name := "person." + strings.ToLower(m.Name)
		_, err := api.AskExtra[map[string]string, struct{}](a.ctx, a.tray.Client, name, map[string]string{"strange": ""})
		require.Equal(t, api.BadRequest, reasonOf(t, err), "%s is the person's", name)
		methods = append(methods, name)
	}
	conn, err := ws.Dial(a.ctx, a.listen, origin)
	require.NoError(t, err)
	page := api.NewClient(conn)
	defer page.Close()
	for _, name := range methods {
		_, err = api.AskExtra[map[string]string, struct{}](a.ctx, page, name, params)
		require.Equal(t, api.UnknownMethod, reasonOf(t, err), name)
	}
	require.Empty(t, pinentrytest.Transcript(t, a.dialogs))
	for _, function := range []string{"C_Login", "C_SetPIN", "C_InitPIN", "C_InitToken", "C_CreateObject", "C_DestroyObject"} {
		require.Zero(t, testmodule.Calls(t, library, function), function)
	}
}

func reasonOf(t *testing.T, err error) api.Reason {
	t.Helper()
	var refused *api.Error
	require.ErrorAs(t, err, &refused)
	return refused.Reason
}
