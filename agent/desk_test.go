package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

func TestStatus(t *testing.T) {
	token := func(state tokens.State, list ...local.Certificate) local.Token {
		return local.Token{Label: "T", State: string(state), Certificates: list}
	}
	certificate := func(holder string, days int) local.Certificate {
		return local.Certificate{Holder: holder, Issuer: "CA", Days: days, Until: time.Unix(int64(days)*86400, 0)}
	}
	for name, c := range map[string]struct {
		tokens  []local.Token
		asking  bool
		crashed []string
		status  local.Status
		causes  []string
	}{
		"nothing":             {nil, false, nil, local.None, nil},
		"a token":             {[]local.Token{token(tokens.Ready, certificate("a", 30))}, false, nil, local.Ready, nil},
		"soon":                {[]local.Token{token(tokens.Ready, certificate("a", 29))}, false, nil, local.Warning, []string{"expiring"}},
		"ended":               {[]local.Token{token(tokens.Ready, certificate("a", -1))}, false, nil, local.Warning, []string{"expired"}},
		"ended long ago":      {[]local.Token{token(tokens.Ready, certificate("a", -31))}, false, nil, local.Ready, nil},
		"re-issued":           {[]local.Token{token(tokens.Ready, certificate("a", 3)), token(tokens.Ready, certificate("a", 300))}, false, nil, local.Ready, nil},
		"another's is newer":  {[]local.Token{token(tokens.Ready, certificate("a", 3), certificate("b", 300))}, false, nil, local.Warning, []string{"expiring"}},
		"a wrong PIN":         {[]local.Token{token(tokens.PINLow)}, false, nil, local.Warning, []string{"pin_low"}},
		"one last try":        {[]local.Token{token(tokens.PINFinalTry)}, false, nil, local.Warning, []string{"pin_final_try"}},
		"locked":              {[]local.Token{token(tokens.PINLocked, certificate("a", 3))}, false, nil, local.Problem, []string{"pin_locked", "expiring"}},
		"crashed":             {nil, false, []string{"SoftHSM"}, local.Problem, []string{"module_crashed"}},
		"a window before all": {[]local.Token{token(tokens.PINLocked)}, true, nil, local.Busy, []string{"asking", "pin_locked"}},
	} {
		status, causes := judge(c.tokens, c.asking, c.crashed)
		var what []string
		for _, cause := range causes {
			what = append(what, cause.What)
		}
		require.Equal(t, c.status, status, name)
		require.Equal(t, c.causes, what, name)
		require.NotNil(t, causes, "an empty list on the wire")
	}
}

func TestDaysLeft(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]int{0: 0, time.Hour: 0, 24 * time.Hour: 1, 47 * time.Hour: 1, -time.Second: -1, -24 * time.Hour: -1, -25 * time.Hour: -2} {
		require.Equal(t, want, daysLeft(now.Add(left), now), left)
	}
}

// The portal of a certificate is the origin that the door had checked when the application came, whenever that was.
func TestPortals(t *testing.T) {
	j, err := journal.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { j.Close() })
	enrolled := func(id, origin string, state journal.State) string {
		der := []byte("certificate of " + id)
		_, err := j.Advance(journal.Enrollment{ID: id, Origin: origin, State: state, Created: time.Now(), Changed: time.Now(), Chain: [][]byte{der}})
		require.NoError(t, err)
		sum := sha256.Sum256(der)
		return hex.EncodeToString(sum[:])
	}
	d := &desk{stack: &stack{journal: j}}
	one := enrolled("1", "https://portal.example", journal.Proved)
	own := enrolled("2", "", journal.Proved)
	failed := enrolled("3", "https://portal.example", journal.Failed)
	known, err := d.origins()
	require.NoError(t, err)
	require.Equal(t, map[string]string{one: "https://portal.example"}, known)
	later := enrolled("4", "https://later.example", journal.Written)
	known, err = d.origins()
	require.NoError(t, err)
	require.Equal(t, "https://later.example", known[later])
	require.NotContains(t, known, own)
	require.NotContains(t, known, failed)
}

// refusing is an agent that refuses to sign.
type refusing struct {
	api.Agent
	reason api.Reason
}

func (r refusing) Sign(context.Context, api.Caller, api.SignParams) (api.SignResult, error) {
	return api.SignResult{}, &api.Error{Reason: r.reason}
}

// A person is told of what a page cannot bring about alone, and did not do.
func TestRefusalsAreTold(t *testing.T) {
	p := newPulse()
	changed := p.listen(t.Context())
	sign := func(origin string, reason api.Reason) *local.Refusal {
		watchedAgent{refusing{reason: reason}, p}.Sign(t.Context(), api.Caller{Origin: origin}, api.SignParams{})
		_, _, refusal := p.now()
		return refusal
	}
	require.Nil(t, sign("https://portal.example", api.UserCancelled))
	require.Nil(t, sign("https://portal.example", api.BadRequest))
	require.Nil(t, sign("", api.PINLocked), "a command says it itself")
	require.Empty(t, changed)
	require.Equal(t, &local.Refusal{Number: 1, Origin: "https://portal.example", Act: "sign", Reason: "pin_locked"}, sign("https://portal.example", api.PINLocked))
	require.Len(t, changed, 1)
	require.EqualValues(t, 2, sign("https://portal.example", api.CertificateExpired).Number)
}
