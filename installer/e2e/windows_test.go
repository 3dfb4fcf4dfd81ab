package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
)

const compiler = "x86_64-w64-mingw32-gcc"

// TestWindows has the program for Windows answer a page and sign with a PKCS#11 module for Windows, under Wine.
func TestWindows(t *testing.T) {
	if os.Getenv("PERO_WINDOWS") == "" {
		t.Skip("Windows is tried by: make windows")
	}
	wine := newWine(t)
	work := t.TempDir()
	program := filepath.Join(forWindows(t), "pero.exe")

	root := testModule(t, work)
	for _, helper := range []string{"page", "pinentry"} {
		build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(work, helper+".exe"), "./testdata/"+helper)
		build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	listen := freePort(t)
	settings := filepath.Join(work, "pero.toml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, "listen = %q\n[window]\npinentry = '%s'\n[[modules]]\nname = 'Test'\npath = '%s'\n[sites]\nallow = ['%s']\n",
		listen, there(filepath.Join(work, "pinentry.exe")), there(filepath.Join(work, "module.dll")), origin), 0o600))

	require.Contains(t, wine.run(t, program, "version", "--json"), `"system":"windows/amd64"`)

	log, err := os.Create(filepath.Join(work, "log"))
	require.NoError(t, err)
	defer log.Close()
	agent := wine.command(program, "agent", "--config", there(settings))
	agent.Stdout, agent.Stderr = log, log
	require.NoError(t, agent.Start())
	t.Cleanup(func() {
		wine.end()
		agent.Wait()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", said)
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", listen, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, time.Minute, 200*time.Millisecond)

	var answer struct {
		Hello     api.HelloResult
		Tokens    []api.Token
		Signature []byte
	}
	out := wine.run(t, filepath.Join(work, "page.exe"), listen, origin)
	require.NoError(t, json.Unmarshal([]byte(out), &answer), out)
	require.Equal(t, "pero", answer.Hello.Product)
	labels := []string{}
	for _, token := range answer.Tokens {
		labels = append(labels, token.Label)
	}
	require.Contains(t, labels, "Windows token")
	signature := filepath.Join(work, "letter.p7m")
	require.NoError(t, os.WriteFile(signature, answer.Signature, 0o600))
	require.Contains(t, run(t, "openssl", "cms", "-verify", "-inform", "DER", "-in", signature, "-CAfile", root, "-purpose", "any", "-binary"), "Hello from Windows")
}

// forWindows makes the programs and the installer, signed by a certificate of the test's own.
func forWindows(t *testing.T) string {
	t.Helper()
	for _, program := range []string{compiler, "wixl", "msibuild", "osslsigncode"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	folder := t.TempDir()
	key, certificate := filepath.Join(folder, "sign.key"), filepath.Join(folder, "sign.pem")
	run(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test", "-addext", "extendedKeyUsage=codeSigning",
		"-keyout", key, "-out", certificate)
	makes := exec.Command("../windows/make", filepath.Join(folder, "out"))
	makes.Env = append(os.Environ(), "VERSION=1.2.3", "PERO_SIGN_CERT="+certificate, "PERO_SIGN_KEY="+key)
	out, err := makes.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, file := range []string{"pero.exe", "pero-agent.exe", "pero-tray.exe", "pero-1.2.3.msi"} {
		require.Contains(t, run(t, "osslsigncode", "verify", "-CAfile", certificate, "-in", filepath.Join(folder, "out", file)), "Signature verification: ok", file)
	}
	return filepath.Join(folder, "out")
}

// TestInstaller reads the installer's tables.
func TestInstaller(t *testing.T) {
	if os.Getenv("PERO_WINDOWS") == "" {
		t.Skip("Windows is tried by: make windows")
	}
	msi := filepath.Join(forWindows(t), "pero-1.2.3.msi")
	for _, row := range []struct{ table, starts, has string }{
		{"ServiceInstall", "PeroService\tpero\tPero\t16\t2\t", `NT SERVICE\pero` + "\t\tservice run\tProgram"}, // a process of its own, at start-up
		{"ServiceControl", "PeroControl\tpero\t163\t", ""},                                                     // starts at installation, stops at both, goes with it
		{"MsiServiceConfig", "PeroSID\tpero\t5\t5\t3\t", ""},                                                   // restricted
		{"MsiServiceConfig", "PeroPrivileges\tpero\t5\t6\tSeChangeNotifyPrivilege\t", ""},
		{"MsiServiceConfigFailureActions", "PeroFailure\tpero\t", "1[~]1[~]1\t1000[~]1000[~]1000"},
		{"InstallExecuteSequence", "MsiConfigureServices\t", "5850"},
		{"Registry", "AgentAtSignIn\t2\tSoftware\\Microsoft\\Windows\\CurrentVersion\\Run\t", `"[INSTALLDIR]pero-agent.exe" agent --service`},
		{"Registry", "TrayAtSignIn\t2\tSoftware\\Microsoft\\Windows\\CurrentVersion\\Run\t", `"[INSTALLDIR]pero-tray.exe"`},
		{"Upgrade", "{6A7E4B0E-2A0C-4A0E-9F5D-0D3C1C6B8F27}\t", "WIX_UPGRADE_DETECTED"},
		{"Property", "ProductVersion\t1.2.3", ""},
		{"Property", "ALLUSERS\t1", ""},
	} {
		found := false
		for line := range strings.Lines(run(t, "msiinfo", "export", msi, row.table)) {
			line = strings.TrimRight(line, "\r\n")
			found = found || strings.HasPrefix(line, row.starts) && strings.Contains(line, row.has)
		}
		require.True(t, found, "%s: %s", row.table, row.starts)
	}
	files := run(t, "msiextract", "--list", msi)
	for _, file := range []string{"pero.exe", "pero-agent.exe", "pero-tray.exe", "LICENSE.txt"} {
		require.Contains(t, files, "Pero/"+file)
	}
}

// there is a file's name as a program for Windows knows it.
func there(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// wine is a Windows of the test's own.
type wine struct{ prefix string }

func newWine(t *testing.T) wine {
	t.Helper()
	for _, program := range []string{"wine", "wineserver", compiler} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	w := wine{t.TempDir()}
	t.Cleanup(w.end)
	boot := w.command("wineboot", "--init")
	require.NoError(t, boot.Run())
	run(t, compiler, "-shared", "-o", filepath.Join(w.prefix, "drive_c/windows/system32/bcryptprimitives.dll"), "testdata/shim/bcryptprimitives.c", "-ladvapi32")
	return w
}

// end kills every program of this Windows.
func (w wine) end() {
	end := exec.Command("wineserver", "-k", "-w")
	end.Env = append(os.Environ(), "WINEPREFIX="+w.prefix)
	end.Run()
}

// run gives what a program says. It says so to files: programs that outlive it would hold a pipe open.
func (w wine) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	out, err := os.Create(filepath.Join(folder, "out"))
	require.NoError(t, err)
	defer out.Close()
	complaint, err := os.Create(filepath.Join(folder, "err"))
	require.NoError(t, err)
	defer complaint.Close()
	c := w.command(program, args...)
	c.Stdout, c.Stderr = out, complaint
	failed := c.Run()
	said, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	why, err := os.ReadFile(complaint.Name())
	require.NoError(t, err)
	require.NoError(t, failed, "%s", why)
	return string(said)
}

func (w wine) command(program string, args ...string) *exec.Cmd {
	c := exec.Command("wine", append([]string{program}, args...)...)
	c.Env = append(os.Environ(), "WINEPREFIX="+w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree=;mshtml=", "DISPLAY=", "LC_ALL=C.UTF-8")
	return c
}

// testModule builds module.dll with a new key and gives the file of its certificate.
func testModule(t *testing.T, work string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: "Maria"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	public, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	secret, err := key.Bytes()
	require.NoError(t, err)
	point, err := asn1.Marshal(public)
	require.NoError(t, err)
	var header strings.Builder
	for _, part := range []struct {
		name  string
		value []byte
	}{{"X", public[1:33]}, {"Y", public[33:]}, {"D", secret}, {"certificate", der}, {"subject", parsed.RawSubject}, {"serial", []byte{2, 1, 42}}, {"point", point}} {
		fmt.Fprintf(&header, "static const unsigned char %s[] = {", part.name)
		for _, b := range part.value {
			fmt.Fprintf(&header, "%d,", b)
		}
		header.WriteString("};\n")
	}
	require.NoError(t, os.WriteFile(filepath.Join(work, "key.h"), []byte(header.String()), 0o600))
	run(t, compiler, "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-static-libgcc", "-I"+work, "-idirafter", "/usr/include/p11-kit-1",
		"-o", filepath.Join(work, "module.dll"), "testdata/module/module.c", "-lbcrypt")
	root := filepath.Join(work, "root.pem")
	require.NoError(t, os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return root
}
