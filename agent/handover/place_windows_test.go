package handover

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The SID of an account that every Windows has.
func TestServiceSID(t *testing.T) {
	require.Equal(t, "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", serviceSID("TrustedInstaller"))
}
