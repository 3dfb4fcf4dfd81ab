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

// What is installed runs as everybody: it lies where root alone writes.
func TestReplaceableProgram(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir, err := os.MkdirTemp("/var/lib", "pero")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "bin", "pero")
	require.NoError(t, os.Mkdir(filepath.Dir(program), 0o755))
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	require.NoError(t, rootsAlone(program))
	for name, spoil := range map[string]func() error{
		"the file is another's":     func() error { return os.Chown(program, 65534, -1) },
		"others write the file":     func() error { return os.Chmod(program, 0o757) },
		"its folder is another's":   func() error { return os.Chown(filepath.Dir(program), 65534, -1) },
		"a group writes the folder": func() error { return os.Chmod(filepath.Dir(program), 0o775) },
		"the one above":             func() error { return os.Chmod(dir, 0o777) },
	} {
		require.NoError(t, spoil(), name)
		require.ErrorIs(t, rootsAlone(program), ErrReplaceable, name)
		for _, p := range []string{program, filepath.Dir(program), dir} {
			require.NoError(t, os.Chown(p, 0, -1))
			require.NoError(t, os.Chmod(p, 0o755))
		}
	}
	require.NoError(t, rootsAlone(program))
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
