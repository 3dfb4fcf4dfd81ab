package api

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a page can ask is this and nothing else. A method that is added here is one that any site in the world may call: what manages tokens and
// their PINs, beside carriers.pin, is the person's alone (agent/local, the command line).
func TestMethodsOfAPage(t *testing.T) {
	require.Equal(t, []string{
		"access.request", "agent.hello", "authenticate",
		"carriers.backup", "carriers.pin", "carriers.restore",
		"certificates.export", "certificates.list", "certificates.status",
		"documents.close", "documents.fetch", "documents.open", "documents.sync",
		"enroll.begin", "enroll.cancel", "enroll.complete", "enroll.list",
		"events.subscribe", "renew.begin", "request.cancel", "sign", "tokens.list", "verify",
	}, slices.Sorted(maps.Keys(routes)))
}
