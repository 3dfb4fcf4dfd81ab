package gost_test

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/tokentest/published"
)

// engine is OpenSSL with gost-engine, an independent implementation of nearly everything here.
type engine struct {
	folder string
}

// newEngine skips the test where OpenSSL has no such engine (Debian: libengine-gost-openssl).
func newEngine(t *testing.T) engine {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if len(found) == 0 {
		t.Skip("OpenSSL has no gost-engine")
	}
	return engine{folder: t.TempDir()}
}

func (e engine) write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(e.folder, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run is the standard output of an openssl command; parameters is the substitutions of GOST 28147-89.
func (e engine) run(t *testing.T, parameters string, args ...string) []byte {
	t.Helper()
	command := exec.Command("openssl", args...)
	command.Env = append(os.Environ(), "OPENSSL_CONF=../../testdata/gost-engine.cnf", "CRYPT_PARAMS="+parameters)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v: %s", strings.Join(args, " "), err, complaint.Bytes())
	}
	return out
}

// noise is octets that are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{}).Read(b); err != nil {
		panic(err)
	}
	return b
}

// Sizes about each boundary that a block, a length octet or the changing of keys has.
var engineSizes = []int{1, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 1000, 1024, 1025, 8191, 8193, 100_003}

func TestEngineDigests(t *testing.T) {
	e := newEngine(t)
	for name, new := range map[string]func() hash.Hash{"md_gost12_256": gost.New256, "md_gost12_512": gost.New512, "md_gost94": gost.New341194} {
		paths, digests := []string{}, map[string][]byte{}
		for _, size := range append([]int{0}, engineSizes...) {
			if size == 0 && name == "md_gost94" {
				continue // the engine gives another value than the published one, which Test341194 knows
			}
			message := noise(size)
			path := e.write(t, fmt.Sprintf("message%d", size), message)
			h := new()
			h.Write(message)
			paths, digests[path] = append(paths, path), h.Sum(nil)
		}
		compareLines(t, e.run(t, "", append([]string{"dgst", "-" + name, "-r"}, paths...)...), digests)
	}
}

func TestEngineCodes(t *testing.T) {
	e := newEngine(t)
	key := noise(gost.KeySize)
	for name, new := range map[string]func([]byte) (cipher.Block, error){"kuznyechik-mac": gost.NewKuznyechik, "magma-mac": gost.NewMagma} {
		block, err := new(key)
		if err != nil {
			t.Fatal(err)
		}
		paths, codes := []string{}, map[string][]byte{}
		for _, size := range engineSizes {
			message := noise(size)
			path := e.write(t, fmt.Sprintf("message%d", size), message)
			mac := gost.NewOMAC(block)
			mac.Write(message)
			paths, codes[path] = append(paths, path), mac.Sum(nil)
		}
		args := []string{"dgst", "-mac", name, "-macopt", "hexkey:" + hex.EncodeToString(key), "-r"}
		compareLines(t, e.run(t, "", append(args, paths...)...), codes)
	}
}

// compareLines compares the lines "digest *path" with what was computed here.
func compareLines(t *testing.T, lines []byte, want map[string][]byte) {
	t.Helper()
	for line := range strings.Lines(string(lines)) {
		digest, path, _ := strings.Cut(strings.TrimSpace(line), " *")
		if computed := hex.EncodeToString(want[path]); computed != digest {
			t.Errorf("%s: %s, openssl says %s", filepath.Base(path), computed, digest)
		}
		delete(want, path)
	}
	if len(want) > 0 {
		t.Errorf("openssl says nothing of %d messages", len(want))
	}
}

func TestEngineStreams(t *testing.T) {
	e := newEngine(t)
	key, message := noise(gost.KeySize), noise(300_001)
	ctr := func(new func([]byte) (cipher.Block, error), section int) func(iv []byte) (cipher.Stream, error) {
		return func(iv []byte) (cipher.Stream, error) { return gost.NewCTRACPKM(new, key, iv, section) }
	}
	feedback := func(sbox gost.SBox) func(iv []byte) (cipher.Stream, error) {
		return func(iv []byte) (cipher.Stream, error) { return gost.NewCFBEncrypter(key, iv, sbox) }
	}
	for _, test := range []struct {
		cipher, parameters string
		iv, padding        int // octets of the vector, and of the zeros that openssl wants after it
		new                func(iv []byte) (cipher.Stream, error)
	}{
		{"kuznyechik-ctr-acpkm", "", 8, 0, ctr(gost.NewKuznyechik, 4096)},
		{"magma-ctr-acpkm", "", 4, 4, ctr(gost.NewMagma, 1024)},
		{"gost89", "id-Gost28147-89-CryptoPro-A-ParamSet", 8, 0, feedback(gost.SBoxCryptoProA)},
		{"gost89", "id-Gost28147-89-CryptoPro-B-ParamSet", 8, 0, feedback(gost.SBoxCryptoProB)},
		{"gost89", "id-Gost28147-89-CryptoPro-C-ParamSet", 8, 0, feedback(gost.SBoxCryptoProC)},
		{"gost89", "id-Gost28147-89-CryptoPro-D-ParamSet", 8, 0, feedback(gost.SBoxCryptoProD)},
		{"gost89", "id-tc26-gost-28147-param-Z", 8, 0, feedback(gost.SBoxTC26Z)},
	} {
		iv := noise(test.iv)
		stream, err := test.new(iv)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(message))
		for at := 0; at < len(message); at += 1021 {
			end := min(at+1021, len(message))
			stream.XORKeyStream(got[at:end], message[at:end])
		}
		path := e.write(t, "message", message)
		want := e.run(t, test.parameters, "enc", "-"+test.cipher, "-K", hex.EncodeToString(key),
			"-iv", hex.EncodeToString(append(iv, make([]byte, test.padding)...)), "-in", path)
		if !bytes.Equal(got, want) {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Errorf("%s %s: not as openssl's from octet %d of %d on", test.cipher, test.parameters, at, len(want))
		}
	}
}

// The messages that gost-engine publishes with their digests.
func TestEtalon(t *testing.T) {
	checked := 0
	for line := range strings.Lines(string(published.File(t, "gost-engine/etalon/dgst.result"))) {
		var size int
		var name, digest string
		if _, err := fmt.Sscanf(strings.NewReplacer("(", " ", ")= ", " ").Replace(line), "md_gost12_%d %s %s", &size, &name, &digest); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if name == "M7" {
			continue // not among the files
		}
		h := gost.New256()
		if size == 512 {
			h = gost.New512()
		}
		h.Write(published.File(t, "gost-engine/etalon/"+name))
		if got := hex.EncodeToString(h.Sum(nil)); got != digest {
			t.Errorf("Streebog-%d of %s = %s, want %s", size, name, got, digest)
		}
		checked++
	}
	if checked != 14 {
		t.Errorf("%d digests compared, want 14", checked)
	}
}
