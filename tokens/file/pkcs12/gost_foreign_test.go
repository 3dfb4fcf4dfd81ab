package pkcs12

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens/gost"
)

// oldMAC, as the first argument of openssl pkcs12, has the MAC made as it was before R 50.1.112-2016.
const oldMAC = "old MAC"

// openssl runs openssl with the engine that knows GOST.
func openssl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	c := exec.Command("openssl", args...)
	c.Env = append(os.Environ(), "OPENSSL_CONF=../../../testdata/gost-engine.cnf")
	if args[0] == "pkcs12" && args[1] == oldMAC {
		c.Env, c.Args = append(c.Env, "LEGACY_GOST_PKCS12=1"), slices.Delete(c.Args, 2, 3)
	}
	out, err := c.CombinedOutput()
	return string(out), err
}

func mustOpenSSL(t testing.TB, args ...string) string {
	t.Helper()
	out, err := openssl(t, args...)
	require.NoError(t, err, "openssl %v:\n%s", args, out)
	return out
}

// engineSets are the names that gost-engine has for parameter sets.
var engineSets = []struct{ algorithm, set string }{
	{"gost2012_256", "A"}, {"gost2012_256", "B"}, {"gost2012_256", "C"}, {"gost2012_256", "XA"},
	{"gost2012_256", "TCA"}, {"gost2012_256", "TCB"}, {"gost2012_256", "TCC"}, {"gost2012_256", "TCD"},
	{"gost2012_512", "A"}, {"gost2012_512", "B"}, {"gost2012_512", "C"},
}

// engineKey makes a key and a certificate by gost-engine.
func engineKey(t testing.TB, algorithm, set string) (key Key, certificate Certificate, keyFile, certificateFile string) {
	t.Helper()
	dir := t.TempDir()
	keyFile, certificateFile = filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	mustOpenSSL(t, "genpkey", "-algorithm", algorithm, "-pkeyopt", "paramset:"+set, "-out", keyFile)
	mustOpenSSL(t, "req", "-new", "-x509", "-key", keyFile, "-subj", "/CN=foreign", "-days", "2", "-out", certificateFile)
	decode := func(name string) []byte {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		block, _ := pem.Decode(data)
		require.NotNil(t, block)
		return block.Bytes
	}
	private, err := gost.ParsePrivateKey(decode(keyFile))
	require.NoError(t, err)
	return Key{ID: []byte{9}, Label: "ключ", Public: private.Public().(*gost.PublicKey).Marshal(), Private: private.MarshalPKCS8()},
		Certificate{DER: decode(certificateFile), ID: []byte{9}, Label: "ключ"}, keyFile, certificateFile
}

func requireGOSTKey(t testing.TB, want, got []byte) {
	t.Helper()
	a, err := gost.ParsePrivateKey(want)
	require.NoError(t, err)
	b, err := gost.ParsePrivateKey(got)
	require.NoError(t, err)
	require.True(t, a.Equal(b))
	require.Equal(t, a.Public().(*gost.PublicKey).Set().OID(), b.Public().(*gost.PublicKey).Set().OID())
}

// TestEngineContainers: gost-engine's containers are read by us and ours by it, for each parameter set that it knows.
func TestEngineContainers(t *testing.T) {
	for _, c := range engineSets {
		t.Run(c.algorithm+" "+c.set, func(t *testing.T) {
			t.Parallel()
			key, certificate, keyFile, certificateFile := engineKey(t, c.algorithm, c.set)
			for name, args := range map[string][]string{
				"default":    nil,
				"GOST 28147": {"-keypbe", "gost89", "-certpbe", "gost89", "-macalg", "md_gost12_512"},
			} {
				file := filepath.Join(t.TempDir(), "theirs.p12")
				mustOpenSSL(t, append([]string{"pkcs12", "-export", "-inkey", keyFile, "-in", certificateFile, "-out", file,
					"-passout", "pass:" + password}, args...)...)
				data, err := os.ReadFile(file)
				require.NoError(t, err)
				f, err := Parse(data)
				require.NoError(t, err, name)
				store, _, err := f.Open([]byte(password))
				require.NoError(t, err, name)
				require.Len(t, store.Keys, 1, name)
				requireGOSTKey(t, key.Private, store.Keys[0].Private)
				require.Equal(t, key.Public, store.Keys[0].Public, name)
				require.Equal(t, certificate.DER, store.Certificates[0].DER, name)
				_, _, err = f.Open([]byte("другой"))
				require.ErrorIs(t, err, ErrPassword, name)
			}

			file := filepath.Join(t.TempDir(), "ours.p12")
			store := &Store{Keys: []Key{key}, Certificates: []Certificate{certificate}}
			require.NoError(t, os.WriteFile(file, seal(t, store, password), 0o600))
			out := mustOpenSSL(t, "pkcs12", "-in", file, "-passin", "pass:"+password, "-nodes")
			require.Equal(t, 1, count(out, "BEGIN CERTIFICATE"), out)
			at := strings.Index(out, "-----BEGIN PRIVATE KEY")
			require.GreaterOrEqual(t, at, 0, out)
			block, _ := pem.Decode([]byte(out[at:]))
			require.NotNil(t, block)
			requireGOSTKey(t, key.Private, block.Bytes)
			out, err := openssl(t, "pkcs12", "-in", file, "-passin", "pass:другой", "-nodes")
			require.Error(t, err, out)
		})
	}
}

// TestEngineCiphers reads every cipher and MAC that gost-engine can make a container with: GOST 28147-89 long enough for its key to change on
// the way, the others not, since gost-engine 3.0 changes theirs after 4 KiB and 1 KiB, where RFC 9337 section 5.1 says 256 KiB and 8 KiB.
func TestEngineCiphers(t *testing.T) {
	key, certificate, keyFile, certificateFile := engineKey(t, "gost2012_256", "A")
	data, err := os.ReadFile(certificateFile)
	require.NoError(t, err)
	many := filepath.Join(t.TempDir(), "many.pem")
	require.NoError(t, os.WriteFile(many, bytes.Repeat(data, 40), 0o600))
	for name, args := range map[string][]string{
		"GOST 28147":   {"-keypbe", "gost89", "-certpbe", "gost89", "-macalg", "md_gost12_512"},
		"Kuznyechik":   {"-keypbe", "kuznyechik-ctr-acpkm", "-certpbe", "kuznyechik-ctr-acpkm", "-macalg", "md_gost12_512"},
		"Magma":        {"-keypbe", "magma-ctr-acpkm", "-certpbe", "magma-ctr-acpkm", "-macalg", "md_gost12_256"},
		"34.11-94":     {"-macalg", "md_gost94"},
		"old 34.11-94": {oldMAC, "-macalg", "md_gost94"},
		"old Streebog": {oldMAC, "-macalg", "md_gost12_512"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "theirs.p12")
			command, certificates := []string{"pkcs12"}, 41
			if args[0] == oldMAC {
				command, args = append(command, oldMAC), args[1:]
			}
			if strings.HasSuffix(args[1], "ctr-acpkm") {
				certificates = 1
			} else {
				args = append(args, "-certfile", many)
			}
			mustOpenSSL(t, append(append(command, "-export", "-inkey", keyFile, "-in", certificateFile, "-out", file,
				"-passout", "pass:"+password), args...)...)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			f, err := Parse(data)
			require.NoError(t, err)
			store, _, err := f.Open([]byte(password))
			require.NoError(t, err)
			require.Len(t, store.Keys, 1)
			requireGOSTKey(t, key.Private, store.Keys[0].Private)
			require.Len(t, store.Certificates, certificates)
			for _, c := range store.Certificates {
				require.Equal(t, certificate.DER, c.DER)
			}
			_, _, err = f.Open([]byte("другой"))
			require.ErrorIs(t, err, ErrPassword)
		})
	}
}

// TestCerttoolReadsOurs: GnuTLS 3.7 checks the MAC and reads the certificate; it knows of PBES2 ciphers GOST 28147-89 alone, so not the key's.
func TestCerttoolReadsOurs(t *testing.T) {
	key, certificate, _, _ := engineKey(t, "gost2012_256", "A")
	file := filepath.Join(t.TempDir(), "ours.p12")
	require.NoError(t, os.WriteFile(file, seal(t, &Store{Keys: []Key{key}, Certificates: []Certificate{certificate}}, password), 0o600))
	out := run(t, "certtool", "--p12-info", "--inder", "--infile", file, "--password", password)
	require.Contains(t, out, "STREEBOG-512")
	require.Equal(t, 1, count(out, "BEGIN ENCRYPTED PRIVATE KEY"), out)
	require.Equal(t, 1, count(out, "BEGIN CERTIFICATE"), out)
	other, err := exec.Command("certtool", "--p12-info", "--inder", "--infile", file, "--password", "другой").CombinedOutput()
	require.True(t, err != nil || strings.Contains(string(other), "incorrect") || strings.Contains(string(other), "MAC verification failed"), "%s", other)
}

// TestFamilies: a file is of the Russian family as long as a GOST key is in it, and one lock opens either.
func TestFamilies(t *testing.T) {
	lock, err := NewLock([]byte(password))
	require.NoError(t, err)
	digests := map[bool]family{false: common, true: russian}
	mixed := smallGOST(t)
	plain := &Store{Keys: mixed.Keys[:2], Certificates: mixed.Certificates}
	for _, store := range []*Store{plain, mixed, plain} {
		data, err := lock.Seal(store)
		require.NoError(t, err)
		f, err := Parse(data)
		require.NoError(t, err)
		require.True(t, f.Native)
		require.Equal(t, digests[store == mixed].digest(), f.mac.digest.id)
		got, err := f.OpenWith(lock)
		require.NoError(t, err)
		require.Equal(t, store, got)

		// The lock of another program that opened this version reads what the first seals next, whatever its family.
		_, second, err := f.Open([]byte(password))
		require.NoError(t, err)
		for _, next := range []*Store{mixed, plain} {
			data, err := lock.Seal(next)
			require.NoError(t, err)
			f, err := Parse(data)
			require.NoError(t, err)
			got, err := f.OpenWith(second)
			require.NoError(t, err)
			require.Equal(t, next, got)
		}
		second.Wipe()
	}
}

// TestCryptoProContainer: its cipher is nobody else's, and the reader says so before anybody types a password.
func TestCryptoProContainer(t *testing.T) {
	der := func(tag byte, parts ...[]byte) []byte { return encode(tag, bytes.Join(parts, nil)) }
	oid := func(id []byte) []byte { return encode(0x06, id) }
	data := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
	bag := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02}
	pbe := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x50}
	contents := func(octets []byte) []byte { return der(0x30, oid(data), der(0xa0, encode(0x04, octets))) }
	parameters := der(0x30, encode(0x04, make([]byte, 16)), []byte{0x02, 0x02, 0x07, 0xd0})
	key := der(0x30, der(0x30, oid(pbe), parameters), encode(0x04, make([]byte, 100)))
	safe := der(0x30, der(0x30, oid(bag), der(0xa0, key)))
	pfx := der(0x30, []byte{2, 1, 3}, contents(der(0x30, contents(safe))))
	_, err := Parse(pfx)
	require.ErrorIs(t, err, ErrForeign)
}

// TestEngineContainersDamaged: nobody is told that the right password is wrong, wherever another program's file is damaged. One octet is, so
// the key or the certificates still open.
func TestEngineContainersDamaged(t *testing.T) {
	_, _, keyFile, certificateFile := engineKey(t, "gost2012_256", "A")
	for _, cipher := range []string{"gost89", "kuznyechik-ctr-acpkm", "AES-256-CBC"} {
		file := filepath.Join(t.TempDir(), "theirs.p12")
		mustOpenSSL(t, "pkcs12", "-export", "-inkey", keyFile, "-in", certificateFile, "-out", file, "-keypbe", cipher, "-certpbe", cipher,
			"-iter", "10", "-passout", "pass:"+password)
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 4
			f, err := Parse(bad)
			if err == nil {
				f.limit = 100_000
				_, err = f.openForeign([]byte(password))
			}
			require.NotErrorIs(t, err, ErrPassword, "%s, octet %d", cipher, i)
		}
		f, err := Parse(data)
		require.NoError(t, err)
		_, _, err = f.Open([]byte("another"))
		require.ErrorIs(t, err, ErrPassword)
	}
}
