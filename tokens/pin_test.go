package tokens_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

func TestPINTakesTheOctetsOver(t *testing.T) {
	typed := []byte("1234")
	p := tokens.NewPIN(typed)
	require.Equal(t, []byte{0, 0, 0, 0}, typed)
	require.Equal(t, "1234", string(p.Bytes()))
	c := p.Clone()
	p.Wipe()
	p.Wipe()
	(*tokens.PIN)(nil).Wipe()
	require.Empty(t, p.Bytes())
	require.Equal(t, "1234", string(c.Bytes()))
	c.Truncate(2)
	require.Equal(t, "12", string(c.Bytes()))
	c.Wipe()
}

func TestPINIsNeverWritten(t *testing.T) {
	p := tokens.NewPIN([]byte("s3cret"))
	defer p.Wipe()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		require.Equal(t, "[PIN]", fmt.Sprintf(verb, p))
	}
	require.Equal(t, "{[PIN]}", fmt.Sprint(struct{ P *tokens.PIN }{p}))
	_, err := json.Marshal(struct{ P *tokens.PIN }{p})
	require.Error(t, err)
}

// The kernel's own list of mappings tells whether the pages are locked (lo), kept out of core files (dd) and not given to a fork (wf).
func TestPINPagesOnLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc/self/smaps")
	}
	p := tokens.NewPIN([]byte("1234"))
	defer p.Wipe()
	address := fmt.Sprintf("%x-", uintptr(unsafe.Pointer(unsafe.SliceData(p.Bytes()))))
	maps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(maps), "\n"+address)
	require.True(t, found, "the PIN has pages of its own")
	_, flags, found := strings.Cut(rest, "VmFlags:")
	require.True(t, found)
	flags, _, _ = strings.Cut(flags, "\n")
	require.Subset(t, strings.Fields(flags), []string{"lo", "dd", "wf"})
}
