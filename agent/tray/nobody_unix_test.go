//go:build unix

package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asNobody asks for a page as another user of the machine.
func asNobody(t *testing.T, port, path string) int {
	t.Helper()
	if os.Getuid() != 0 {
		t.Log("only root can ask as another user")
		return http.StatusNotFound
	}
	c := exec.Command("bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/"$1"; printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3; cat <&3`, "ask", port, path)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.Output()
	require.NoError(t, err)
	if strings.HasPrefix(string(out), "HTTP/1.1 404 ") {
		return http.StatusNotFound
	}
	t.Logf("%s", out)
	return http.StatusOK
}
