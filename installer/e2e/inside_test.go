package e2e

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long the machine has for what it does by itself; how long it took is told.
const patience = 15 * time.Second

// TestInside is what an administrator and three people do on the machine, in this order.
func TestInside(t *testing.T) {
	if os.Getenv("PERO_INSIDE") == "" {
		t.Skip("it is run by TestMachine")
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("sh", "-c", "journalctl --no-pager -n 80; systemctl --no-pager --failed").CombinedOutput()
			t.Logf("%s", out)
		}
	})
	for _, who := range []string{"alice", "bob", "carol"} {
		run(t, "useradd", "--create-home", "--shell", "/bin/sh", who)
	}

	// Somebody is signed in already when it is installed, and needs not sign in again.
	alice := newPerson(t, "alice")
	signIn(t, alice)
	t.Log(run(t, "dpkg", "--install", "/e2e/older.deb"))
	require.Equal(t, "active\nactive\nactive", run(t, "systemctl", "is-active", "pero.service", "pero.socket", "pero6.socket"))
	require.Equal(t, "enabled\nenabled\nenabled", run(t, "systemctl", "is-enabled", "pero.service", "pero.socket", "pero6.socket"))
	require.Equal(t, "enabled", run(t, "systemctl", "--global", "is-enabled", "pero-agent.socket"))
	require.Equal(t, "pero", run(t, "stat", "-c", "%U", "/proc/"+mainPID(t, "pero.service")))
	exposure := strings.Split(run(t, "systemd-analyze", "security", "--threshold=20", "--no-pager", "pero.service"), "\n")
	t.Log(exposure[len(exposure)-1])

	settings, err := os.ReadFile("/etc/pero/pero.toml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("/etc/pero/pero.toml", append(settings, "\n[sites]\nallow = [\""+origin+"\"]\n"...), 0o644))

	bob := newPerson(t, "bob")
	signIn(t, bob)
	for _, p := range []*person{alice, bob} {
		furnish(t, p)
		connects(t, p)
	}
	each := func() {
		t.Helper()
		require.Equal(t, []string{"alice"}, alice.holders(t))
		require.Equal(t, []string{"bob"}, bob.holders(t))
	}
	each()
	require.Equal(t, []string{"alice"}, alice.tokens(t))
	require.Equal(t, []string{"bob"}, bob.tokens(t))
	require.Equal(t, alice.uid, run(t, "stat", "-c", "%u", "/proc/"+agentPID(t, alice)))
	require.Equal(t, bob.uid, run(t, "stat", "-c", "%u", "/proc/"+agentPID(t, bob)))

	findings := alice.runs(t, "sh", "-c", "/usr/bin/pero doctor --json || true")
	require.Regexp(t, `"check":"service","level":"ok"`, findings)

	// Who is not signed in has no agent, and the page hears so.
	carol := newPerson(t, "carol")
	require.ErrorContains(t, carol.connect(), "status 503")
	var answer string
	require.NoError(t, carol.page.Call("Page.Plain", origin, &answer))
	require.Equal(t, "503 Service Unavailable\nno_user_session\n", answer)
	signIn(t, carol)
	connects(t, carol)

	// The desktop comes after the agent, and the window is on it all the same.
	alice.runs(t, "systemctl", "--user", "set-environment", "DISPLAY=:7")
	// An application is open while everything is killed.
	application := alice.enroll(t)
	shown, err := os.ReadFile(filepath.Join(alice.home, "window/transcript"))
	require.NoError(t, err)
	require.Contains(t, string(shown), `"display":":7"`)
	kept := map[string]string{application: "requested"}
	require.Equal(t, kept, alice.enrollments(t))

	service := mainPID(t, "pero.service")
	kill(t, service)
	require.Equal(t, kept, alice.enrollments(t), "a connection that was handed over does not need the service")
	heals(t, "the service", func() bool {
		pid := mainPID(t, "pero.service")
		return pid != service && pid != "0" && alice.connect() == nil
	})
	require.Equal(t, kept, alice.enrollments(t))

	before := map[string]string{}
	for _, p := range []*person{alice, bob} {
		before[p.name] = agentPID(t, p)
		kill(t, before[p.name])
	}
	for _, p := range []*person{alice, bob} {
		heals(t, "the agent of "+p.name, func() bool { return p.connect() == nil && agentPID(t, p) != before[p.name] })
	}
	each()
	require.Equal(t, kept, alice.enrollments(t))
	require.Empty(t, bob.enrollments(t))

	// The next version.
	service, before["alice"] = mainPID(t, "pero.service"), agentPID(t, alice)
	t.Log(run(t, "dpkg", "--install", "/e2e/newer.deb"))
	require.Equal(t, newer, run(t, "dpkg-query", "--show", "--showformat=${Version}", "pero"))
	require.NotEqual(t, service, mainPID(t, "pero.service"), "the old program goes on")
	for _, p := range []*person{alice, bob} {
		connects(t, p)
	}
	require.NotEqual(t, before["alice"], agentPID(t, alice), "the old program goes on")
	each()
	require.Equal(t, kept, alice.enrollments(t))
	now, err := os.ReadFile("/etc/pero/pero.toml")
	require.NoError(t, err)
	require.Contains(t, string(now), origin, "an administrator's settings")

	// What an administrator switched off stays off.
	run(t, "systemctl", "disable", "--now", "pero6.socket")
	run(t, "dpkg", "--install", "/e2e/newer.deb")
	require.NoError(t, exec.Command("sh", "-c", "! systemctl is-enabled pero6.socket").Run())
	run(t, "systemctl", "enable", "--now", "pero6.socket")

	// Somebody trusts the local certificate.
	store := filepath.Join(alice.home, ".pki/nssdb")
	alice.runs(t, "mkdir", "-p", store)
	alice.runs(t, "certutil", "-N", "-d", "sql:"+store, "--empty-password")
	alice.runs(t, "/usr/bin/pero", "trust", "install")
	require.Equal(t, 1, anchors(t, alice))

	for _, how := range []string{"--remove", "--purge"} {
		said := run(t, "dpkg", how, "pero")
		t.Log(said)
		nothingLeft(t)
		require.Zero(t, anchors(t, alice))
		_, err := os.Stat("/etc/pero/pero.toml")
		if how == "--remove" {
			require.NoError(t, err, "settings stay until a purge")
		} else {
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.Contains(t, said, "~/.local/state/pero")
		}
		require.FileExists(t, filepath.Join(alice.home, ".local/share/pero/keys/alice.p12"))
	}

	// And back again: the application is still open.
	run(t, "dpkg", "--install", "/e2e/older.deb")
	require.NoError(t, os.WriteFile("/etc/pero/pero.toml", []byte("[sites]\nallow = [\""+origin+"\"]\n"), 0o644))
	connects(t, alice)
	require.Equal(t, kept, alice.enrollments(t))
}

// signIn starts a person's service manager, as a sign-in does.
func signIn(t *testing.T, p *person) {
	t.Helper()
	run(t, "loginctl", "enable-linger", p.name)
	require.Eventually(t, func() bool {
		c := exec.Command("systemctl", "is-active", "--quiet", "user@"+p.uid+".service")
		return c.Run() == nil
	}, patience, 50*time.Millisecond, "%s is not signed in", p.name)
}

// anchors counts what a person's browsers trust that is Pero's.
func anchors(t *testing.T, p *person) int {
	t.Helper()
	return strings.Count(p.runs(t, "certutil", "-L", "-d", "sql:"+filepath.Join(p.home, ".pki/nssdb")), "Pero")
}

// furnish gives a person a carrier and a PIN window that answers.
func furnish(t *testing.T, p *person) {
	t.Helper()
	keys, settings := filepath.Join(p.home, ".local/share/pero/keys"), filepath.Join(p.home, ".config/pero")
	p.runs(t, "mkdir", "-p", "-m", "700", keys, settings)
	run(t, "install", "-o", p.name, "-g", p.name, "-m", "0600", "/e2e/"+p.name+".p12", keys)
	window := filepath.Join(p.home, "window")
	p.runs(t, "mkdir", "-m", "700", window)
	run(t, "install", "-o", p.name, "-g", p.name, "-m", "0755", "/e2e/pinentry", window)
	write := func(path, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		run(t, "chown", p.name+":"+p.name, path)
	}
	write(filepath.Join(window, "answers"), "pin 123456\n")
	write(filepath.Join(settings, "pero.toml"), "[window]\npinentry = \""+filepath.Join(window, "pinentry")+"\"\n")
}

// connects waits until a page of the person reaches the agent.
func connects(t *testing.T, p *person) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool { err = p.connect(); return err == nil }, patience, 100*time.Millisecond, "%s", p.name)
	require.NoError(t, err)
}

// heals tells how long something took to come back.
func heals(t *testing.T, what string, back func() bool) {
	t.Helper()
	start := time.Now()
	require.Eventually(t, back, patience, 20*time.Millisecond, "%s does not come back", what)
	t.Logf("%s was back after %d ms", what, time.Since(start).Milliseconds())
}

func kill(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.Positive(t, n)
	require.NoError(t, syscall.Kill(n, syscall.SIGKILL))
}

func mainPID(t *testing.T, unit string) string {
	t.Helper()
	return run(t, "systemctl", "show", "--property=MainPID", "--value", unit)
}

func agentPID(t *testing.T, p *person) string {
	t.Helper()
	return p.runs(t, "systemctl", "--user", "show", "--property=MainPID", "--value", "pero-agent.service")
}

// nothingLeft looks for all that a package must not leave behind.
func nothingLeft(t *testing.T) {
	t.Helper()
	for _, port := range []string{address, "[::1]:14741"} {
		c, err := net.DialTimeout("tcp", port, time.Second)
		if err == nil {
			c.Close()
		}
		require.Error(t, err, "%s listens", port)
	}
	for _, list := range []string{"list-unit-files", "list-units"} {
		out, _ := exec.Command("systemctl", list, "--all", "--no-legend", "pero*").CombinedOutput() // it ends with 1 where there are none
		require.Empty(t, string(out))
	}
	for _, pattern := range []string{"/etc/systemd/*/pero*", "/etc/systemd/*/*/pero*", "/etc/rc?.d/*pero*", "/etc/init.d/pero*", "/usr/lib/systemd/*/pero*",
		"/usr/lib/systemd/*/*/pero*", "/var/lib/systemd/deb-systemd-*/*pero*", "/var/lib/systemd/deb-systemd-*/*/pero*", "/etc/xdg/autostart/pero*",
		"/usr/local/share/ca-certificates/*pero*", "/etc/ssl/certs/*[pP]ero*", "/usr/share/pero", "/usr/lib/pero", "/usr/bin/pero", "/run/pero"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.Empty(t, found)
	}
	running, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	for _, exe := range running {
		if program, err := os.Readlink(exe); err == nil {
			require.False(t, strings.HasPrefix(program, "/usr/bin/pero"), "%s runs", program)
		}
	}
	managers, err := filepath.Glob("/run/user/*/systemd/private")
	require.NoError(t, err)
	require.Len(t, managers, 3)
	for _, manager := range managers {
		uid := strings.Split(manager, "/")[3]
		_, err := strconv.Atoi(uid)
		require.NoError(t, err)
		left := func() string {
			out, _ := exec.Command("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "env", "XDG_RUNTIME_DIR=/run/user/"+uid,
				"systemctl", "--user", "list-units", "--all", "--no-legend", "pero*").CombinedOutput()
			return string(out)
		}
		require.Eventually(t, func() bool { return left() == "" }, patience, 100*time.Millisecond, "units of user %s: %s", uid, left())
	}
}
