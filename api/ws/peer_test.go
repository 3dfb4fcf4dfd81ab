//go:build unix

package ws_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api/apitest"
	"github.com/perosign/pero/api/ws"
)

// talk is a client of another process: bash's own TCP.
const talk = `exec 3<>/dev/tcp/127.0.0.1/"$1" && printf '%s' "$2" >&3 && head -1 <&3`

func TestUserOfTheOtherEnd(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	_, port, _ := strings.Cut(addr, ":")
	run := func(uid int) string {
		c := exec.Command("bash", "-c", talk, "talk", port, handshake(addr, "/v1/ping"))
		c.Stderr = os.Stderr
		c.Dir = "/"
		if uid != os.Getuid() {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		}
		out, err := c.Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Contains(t, run(os.Getuid()), "204 No Content")
	if os.Getuid() != 0 {
		t.Skip("only root can try as another user")
	}
	require.Contains(t, run(65534), "403 Forbidden")
}

func TestOverIPv6(t *testing.T) {
	l, err := ws.Listen(t.Context(), "[::1]:0")
	if err != nil {
		t.Skip("this machine has no ::1: ", err)
	}
	go ws.Serve(t.Context(), l, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	r, _ := answer(t, l.Addr().String(), handshake(l.Addr().String(), "/v1"))
	require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
}
