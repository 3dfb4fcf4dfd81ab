package service

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What runs as a person must not have the administrator's terminal: the person may trace it, and have it type there (TIOCSTI, ioctl_tty(2)).
func TestPersonsManagerIsSpokenToWithoutTerminal(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can speak as another user")
	}
	dir, err := os.MkdirTemp("", "pero")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o777))
	said := filepath.Join(dir, "said")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho $(id -u) $$ $(cut -d' ' -f6 /proc/$$/stat) $* >"+said+"\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	systemctlOf("65534", "stop", "unit")
	octets, err := os.ReadFile(said)
	require.NoError(t, err)
	words := strings.Fields(string(octets))
	require.Len(t, words, 6)
	require.Equal(t, []string{"65534", "--user", "stop", "unit"}, append(words[:1:1], words[3:]...))
	require.Equal(t, words[1], words[2], "it leads a session of its own")
}

// The managers of people read their units, whatever the administrator's own files are to be like.
func TestUnitsAreForAll(t *testing.T) {
	u := unit{"pero-agent.socket", filepath.Join(t.TempDir(), "user", "pero-agent.socket")}
	defer syscall.Umask(syscall.Umask(0o077))
	require.NoError(t, u.lay())
	for path, mode := range map[string]os.FileMode{u.to: 0o644, filepath.Dir(u.to): 0o755} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
}
