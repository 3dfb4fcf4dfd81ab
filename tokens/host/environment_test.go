package host

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnvironmentIsScrubbed(t *testing.T) {
	for _, name := range []string{"LD_PRELOAD_OF_THE_TEST", "GTK_MODULES", "QT_PLUGIN_PATH", "GODEBUG", "GTK_PATH", "PERO_TEST", "SSH_AUTH_SOCK", "SOMEBODYS_TOKEN"} {
		t.Setenv(name, "unwanted")
	}
	t.Setenv("PATH", "/tmp/evil:/usr/bin")
	t.Setenv("DISPLAY", ":5")
	t.Setenv("SOFTHSM2_CONF", "/c")
	t.Setenv("TPM2_PKCS11_STORE", "/s")
	t.Setenv("PERO_TEST_MODULE_CONTROL", "/m")
	got := environment()
	require.Subset(t, got, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "DISPLAY=:5", "SOFTHSM2_CONF=/c", "TPM2_PKCS11_STORE=/s", "PERO_TEST_MODULE_CONTROL=/m"})
	for _, v := range got {
		require.NotContains(t, v, "unwanted")
		require.NotContains(t, v, "evil")
	}
}
