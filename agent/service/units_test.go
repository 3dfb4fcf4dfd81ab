//go:build linux

package service_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/installer"
)

// units lays the files down as a package does, with a program that is there.
func units(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here")
	}
	dir := t.TempDir()
	files, err := fs.Sub(installer.Files(), "systemd")
	require.NoError(t, err)
	require.NoError(t, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		require.NoError(t, err)
		to := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		return os.WriteFile(to, bytes.ReplaceAll(text, []byte(installer.SystemdProgram), []byte("/bin/true")), 0o644)
	}))
	return dir
}

func TestServiceMayLittle(t *testing.T) {
	dir := units(t)
	c := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", "pero.service")
	c.Dir = dir
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	exposure := regexp.MustCompile(`Overall exposure level for pero.service: (\d\.\d)`).FindSubmatch(out)
	require.NotNil(t, exposure, string(out))
	t.Logf("exposure %s", exposure[1])
}

func TestUnitsAreUnderstood(t *testing.T) {
	dir := units(t)
	for _, args := range [][]string{
		{"pero.service", "pero.socket", "pero6.socket", "pero-user@1000.service"},
		{"--user", "pero-agent.socket", "pero-agent.service"},
	} {
		require.NoError(t, os.Symlink("pero-user@.service", filepath.Join(dir, "pero-user@1000.service")))
		c := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, args...)...)
		c.Dir = dir
		c.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":", "XDG_RUNTIME_DIR="+dir)
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
		for line := range strings.Lines(string(out)) {
			require.NotContains(t, line, "pero", "a complaint")
		}
		require.NoError(t, os.Remove(filepath.Join(dir, "pero-user@1000.service")))
	}
}
