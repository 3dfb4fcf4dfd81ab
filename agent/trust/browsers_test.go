//go:build linux

package trust_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/trust"
)

// page tries each address and reports which could be reached: a WebSocket that opens, a fetch that is answered.
const page = `<!doctype html><title>trust</title><script>
const ws = (u) => new Promise((r) => { const s = new WebSocket(u, 'pero.v1'); s.onopen = () => { s.close(); r(true); }; s.onerror = s.onclose = () => r(false); });
const get = (u) => fetch(u, { mode: 'no-cors' }).then(() => true, () => false);
(async () => {
  const got = {};
  for (const u of %s) got[u] = await (u.startsWith('ws') ? ws(u) : get(u));
  await fetch('/done', { method: 'POST', body: JSON.stringify(got) });
})();
</script>`

// visit has a browser, whose home folder is home, open a page that tries the addresses.
func visit(t *testing.T, home string, browser func(home, url string) *exec.Cmd, addresses ...string) map[string]bool {
	t.Helper()
	list, err := json.Marshal(addresses)
	require.NoError(t, err)
	done := make(chan map[string]bool, 1)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, page, list)
		case "/done":
			var got map[string]bool
			if json.NewDecoder(r.Body).Decode(&got) == nil {
				done <- got
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	c := browser(home, site.URL+"/")
	c.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_CACHE_HOME=", "DISPLAY=", "MOZ_HEADLESS=1")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	defer func() {
		c.Process.Signal(syscall.SIGTERM) // one that is killed starts the next time slowly
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
		}
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // its children are in its group
	}()
	select {
	case got := <-done:
		return got
	case err := <-ended:
		ended <- err
		t.Fatalf("%s ended: %v", c.Path, err)
	case <-time.After(60 * time.Second):
		t.Fatalf("%s does not report", c.Path)
	}
	return nil
}

func chromium(home, url string) *exec.Cmd {
	return exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--host-resolver-rules=MAP *.example 127.0.0.1", "--user-data-dir="+filepath.Join(home, ".config", "chromium"), url)
}

func profile(home string) string {
	return filepath.Join(home, ".mozilla", "firefox", "0123abcd.default-esr")
}

func firefox(home, url string) *exec.Cmd {
	return exec.Command("firefox-esr", "--headless", "--no-remote", "--profile", profile(home), url)
}

func newHome(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"chromium", "firefox-esr", "certutil"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is missing: run make deps", p)
		}
	}
	home, err := os.MkdirTemp("", "pero trust*") // browsers that end may still write: t.TempDir would fail the test
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	require.NoError(t, os.MkdirAll(profile(home), 0o700))
	var prefs strings.Builder
	for name, value := range map[string]string{"datareporting.policy.dataSubmissionEnabled": "false", "browser.shell.checkDefaultBrowser": "false", "app.update.enabled": "false",
		"network.captive-portal-service.enabled": "false", "toolkit.telemetry.reportingpolicy.firstRun": "false", "browser.aboutwelcome.enabled": "false",
		"network.dns.localDomains": `"portal.example,www.portal.example,localhost.example"`} {
		fmt.Fprintf(&prefs, "user_pref(%q, %s);\n", name, value)
	}
	require.NoError(t, os.WriteFile(filepath.Join(profile(home), "user.js"), []byte(prefs.String()), 0o600))
	return home
}

// startAgent gives a way to run pero as a person whose home folder is home, an agent that answers, and its port.
func startAgent(t *testing.T, home string) (pero func(args ...string) *exec.Cmd, agent *exec.Cmd, port string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "pero")
	out, err := exec.Command("go", "build", "-o", bin, "..").CombinedOutput()
	require.NoError(t, err, "%s", out)
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	_, port, err = net.SplitHostPort(address)
	require.NoError(t, err)
	settings := filepath.Join(home, "pero.toml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, "listen = %q\n", address), 0o600))
	pero = func(args ...string) *exec.Cmd {
		c := exec.Command(bin, append(args, "--config", settings)...)
		c.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "PERO_STATE_DIR="+filepath.Join(home, "state"), "LC_ALL=C.UTF-8")
		return c
	}
	agent = pero("agent")
	require.NoError(t, agent.Start())
	t.Cleanup(func() {
		agent.Process.Signal(syscall.SIGTERM)
		agent.Wait()
	})
	require.Eventually(t, func() bool {
		r, err := http.Get("http://" + address + "/v1/ping")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return pero, agent, port
}

// The person's way: an agent starts, browsers reach it by ws:// and not by wss://; after "pero trust install" by both; after uninstall
// as before.
func TestBrowsersTrustWhenThePersonSaysSo(t *testing.T) {
	home := newHome(t)
	pero, _, port := startAgent(t, home)
	plain, secure, numeric := "ws://127.0.0.1:"+port+"/v1", "wss://localhost:"+port+"/v1", "wss://127.0.0.1:"+port+"/v1"
	look := func(trusted bool, when string) {
		t.Helper()
		want := map[string]bool{plain: true, secure: trusted, numeric: trusted}
		require.Equal(t, want, visit(t, home, chromium, plain, secure, numeric), "Chromium %s", when)
		require.Equal(t, want, visit(t, home, firefox, plain, secure, numeric), "Firefox %s", when)
	}
	look(false, "before install")

	said, err := pero("trust", "install").CombinedOutput()
	require.NoError(t, err, "%s", said)
	shared, err := filepath.Glob(filepath.Join(home, ".local", "share", "pki", "nssdb")) // of a Chromium that started first; older ones: .pki
	require.NoError(t, err)
	require.Len(t, shared, 1)
	require.Contains(t, string(said), shared[0]+"): trusted from now on")
	require.Contains(t, string(said), profile(home)+"): trusted from now on")
	require.NoError(t, pero("trust", "status").Run())
	look(true, "after install")

	said, err = pero("trust", "uninstall").CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Error(t, pero("trust", "status").Run())
	look(false, "after uninstall")
	for _, db := range []string{shared[0], profile(home)} {
		list, err := exec.Command("certutil", "-L", "-d", "sql:"+db).CombinedOutput()
		require.NoError(t, err)
		require.NotContains(t, string(list), "Pero")
	}
}

// Browsers take no other name from a root that they trust.
func TestBrowsersRefuseOtherNames(t *testing.T) {
	home := newHome(t)
	f := newForger(t)
	t.Setenv("HOME", home)
	require.NoError(t, exec.Command("certutil", "-N", "-d", "sql:"+profile(home), "--empty-password").Run())
	stores, err := trust.Stores(true)
	require.NoError(t, err)
	require.Len(t, stores, 2)
	names := map[string]string{}
	var addresses []string
	serve := func(name, host, ip string, leaf *x509.Certificate, key *ecdsa.PrivateKey) {
		l, err := net.Listen("tcp4", ip+":0")
		require.NoError(t, err)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "reached") }),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}, ErrorLog: log.New(io.Discard, "", 0)}
		go s.ServeTLS(l, "", "")
		t.Cleanup(func() { s.Close() })
		address := fmt.Sprintf("https://%s:%d/", host, l.Addr().(*net.TCPAddr).Port)
		names[address] = name
		addresses = append(addresses, address)
	}
	for name, c := range forged {
		ip := "127.0.0.1"
		switch {
		case strings.HasPrefix(c.host, "127."):
			ip = c.host
		case c.host != "localhost" && !strings.HasSuffix(c.host, ".example"):
			continue // cannot be reached from here
		}
		leaf, key := f.leaf(t, c.edit)
		serve(name, c.host, ip, leaf, key)
	}
	leaf, key := f.leaf(t, func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	})
	const ours = "our own names"
	serve(ours, "localhost", "127.0.0.1", leaf, key)
	serve(ours, "127.0.0.1", "127.0.0.1", leaf, key)
	require.Greater(t, len(names), 8)

	look := func(root *x509.Certificate, believed func(name string) bool) {
		t.Helper()
		for _, s := range stores {
			require.NoError(t, s.Add(t.Context(), root))
		}
		for name, browser := range map[string]func(home, url string) *exec.Cmd{"Chromium": chromium, "Firefox": firefox} {
			for address, reached := range visit(t, home, browser, addresses...) {
				require.Equal(t, believed(names[address]), reached, "%s: %s", name, names[address])
			}
		}
	}
	look(f.root, func(name string) bool { return name == ours })
	for _, r := range trust.Uninstall(t.Context(), stores) {
		require.NoError(t, r.Err)
		require.True(t, r.Changed)
	}
	// Without the constraints they would.
	look(f.free, func(name string) bool { return name != "a common name alone" })
}
