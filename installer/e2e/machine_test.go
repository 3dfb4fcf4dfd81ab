// Package e2e installs the packages on a machine of their own: a Debian that boots systemd in a container, with people signed in.
package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	release  = "bookworm"
	include  = "systemd,systemd-sysv,dbus,udev,dbus-user-session,libpam-systemd,init-system-helpers,libnss3-tools"
	older    = "1.0.0"
	newer    = "1.0.1"
	bootTime = 4 * time.Minute
)

func TestMain(m *testing.M) {
	if os.Getenv(visitorVariable) != "" {
		visit()
		return
	}
	code := m.Run()
	if os.Getenv("PERO_CONTAINER") != "" {
		if folder, _ := dist(); folder != "" {
			os.RemoveAll(folder)
		}
	}
	os.Exit(code)
}

// TestMachine boots the machine, where TestInside runs as its administrator.
func TestMachine(t *testing.T) {
	if os.Getenv("PERO_CONTAINER") == "" {
		t.Skip("a whole machine is booted by: make container")
	}
	root := systemRoot(t)
	work := t.TempDir()
	twoVersions(t, work)
	for _, who := range []string{"alice", "bob"} {
		keyStore(t, filepath.Join(work, who+".p12"), who)
	}
	run(t, "go", "build", "-trimpath", "-o", filepath.Join(work, "pinentry"), "github.com/perosign/pero/agent/window/pinentrytest/pinentry")
	self, err := os.Executable()
	require.NoError(t, err)
	run(t, "cp", self, filepath.Join(work, "e2e.test"))
	require.NoError(t, os.WriteFile(filepath.Join(work, "e2e.service"), []byte(unit), 0o644))
	require.NoError(t, os.Chmod(work, 0o755))

	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	boot := exec.CommandContext(ctx, "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay", "--console=pipe",
		"--machine=pero-e2e", "--directory="+root, "--bind="+work+":/e2e", "--bind-ro="+filepath.Join(work, "e2e.service")+":/etc/systemd/system/e2e.service",
		"--boot", "systemd.wants=e2e.service")
	boot.Cancel = func() error { return boot.Process.Signal(os.Interrupt) }
	boot.WaitDelay = 10 * time.Second
	console, bootErr := boot.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(work, "log"))
	t.Logf("inside:\n%s", log)
	status, err := os.ReadFile(filepath.Join(work, "status"))
	require.NoError(t, err, "the machine did not come to its end (%v): %s", bootErr, tail(console))
	require.Equal(t, "0", strings.TrimSpace(string(status)), "see what was said inside")
}

const unit = `[Unit]
Description=The test
After=multi-user.target

[Service]
Type=oneshot
Environment=PERO_INSIDE=1
WorkingDirectory=/e2e
ExecStart=/e2e/e2e.test -test.v -test.run ^TestInside$
ExecStopPost=/bin/sh -c 'echo $$EXIT_STATUS >/e2e/status; systemctl --no-block poweroff'
StandardOutput=file:/e2e/log
StandardError=inherit
TimeoutStartSec=200
`

// systemRoot gives a folder with a system in it, made once and kept.
func systemRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a machine is booted by root only")
	}
	for _, program := range []string{"mmdebstrap", "systemd-nspawn", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	kept, err := filepath.Abs("../../.work")
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(release + include))
	root := filepath.Join(kept, release+"-"+hex.EncodeToString(sum[:4]))
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, os.MkdirAll(kept, 0o755))
		half := root + ".half"
		require.NoError(t, os.RemoveAll(half))
		if out, err := exec.Command("mmdebstrap", "--variant=minbase", "--include="+include, release, half).CombinedOutput(); err != nil {
			t.Skipf("no system to boot could be made here: %v: %s", err, tail(out))
		}
		require.NoError(t, os.Rename(half, root))
	}
	if out, err := exec.Command("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay", "--pipe",
		"--directory="+root, "true").CombinedOutput(); err != nil {
		t.Skipf("this machine lets no container run: %v: %s", err, out)
	}
	return root
}

// dist is where the packages of this run are made, once.
var dist = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "pero-packages")
	if err != nil {
		return "", err
	}
	makes := exec.Command("../packages", folder)
	makes.Env = append(os.Environ(), "VERSION="+older)
	if out, err := makes.CombinedOutput(); err != nil {
		return folder, fmt.Errorf("make packages: %w: %s", err, out)
	}
	return folder, nil
})

func madePackages(t *testing.T) string {
	t.Helper()
	folder, err := dist()
	require.NoError(t, err)
	return folder
}

// twoVersions puts an older and a newer deb into a folder.
func twoVersions(t *testing.T, work string) {
	t.Helper()
	run(t, "cp", the(t, madePackages(t), "pero_*.deb"), filepath.Join(work, "older.deb"))
	apart := filepath.Join(work, "apart")
	run(t, "dpkg-deb", "--raw-extract", filepath.Join(work, "older.deb"), apart)
	control := filepath.Join(apart, "DEBIAN", "control")
	text, err := os.ReadFile(control)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(control, bytes.Replace(text, []byte("Version: "+older), []byte("Version: "+newer), 1), 0o644))
	run(t, "dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", apart, filepath.Join(work, "newer.deb"))
	require.NoError(t, os.RemoveAll(apart))
}

// keyStore makes a carrier of a person: a PKCS#12 file with the PIN 123456 for its key, and its certificate to be seen without.
func keyStore(t *testing.T, path, who string) {
	t.Helper()
	key, certificate := path+".key", path+".pem"
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN="+who,
		"-addext", "keyUsage=digitalSignature,nonRepudiation", "-keyout", key, "-out", certificate)
	run(t, "openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, "-certpbe", "NONE", "-passout", "pass:123456", "-out", path)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }
