package signature_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"github.com/stretchr/testify/require"
)

// signer is a key in memory with its chain: leaf, intermediate, root.
type signer struct {
	key   crypto.Signer
	chain [][]byte
}

var authority = sync.OnceValue(func() [2]*signer {
	root := &signer{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	rootT := template("Test root", 1)
	rootT.IsCA, rootT.BasicConstraintsValid, rootT.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	root.chain = [][]byte{must(x509.CreateCertificate(rand.Reader, rootT, rootT, root.key.Public(), root.key))}
	mid := &signer{key: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))}
	midT := template("Test intermediate", 2)
	midT.IsCA, midT.BasicConstraintsValid, midT.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	mid.chain = [][]byte{must(x509.CreateCertificate(rand.Reader, midT, must(x509.ParseCertificate(root.chain[0])), mid.key.Public(), root.key)), root.chain[0]}
	return [2]*signer{root, mid}
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0xa5), 64), big.NewInt(serial)),
		Subject:      pkix.Name{CommonName: name, Country: []string{"RU"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

var keys = sync.OnceValue(func() map[tokens.KeyAlgorithm]*signer {
	made := map[tokens.KeyAlgorithm]*signer{}
	for i, k := range []struct {
		alg tokens.KeyAlgorithm
		gen func() (crypto.Signer, error)
	}{
		{tokens.RSA2048, func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }},
		{tokens.RSA3072, func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) }},
		{tokens.ECP256, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{tokens.ECP384, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) }},
		{tokens.ECP521, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) }},
	} {
		key := must(k.gen())
		made[k.alg] = issue(key, template("Иванов Иван Иванович", int64(10+i)))
	}
	return made
})

// issue certifies a key by the intermediate authority.
func issue(key crypto.Signer, t *x509.Certificate) *signer {
	mid := authority()[1]
	t.KeyUsage |= x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageEmailProtection)
	der := must(x509.CreateCertificate(rand.Reader, t, must(x509.ParseCertificate(mid.chain[0])), key.Public(), mid.key))
	return &signer{key: key, chain: append([][]byte{der}, mid.chain...)}
}

func (s *signer) sign(alg tokens.Algorithm) func(context.Context, []byte) ([]byte, error) {
	return func(_ context.Context, digest []byte) ([]byte, error) {
		var opts crypto.SignerOpts = alg.Hash.Crypto()
		if alg.Scheme == tokens.RSAPSS {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.Hash.Crypto()}
		}
		return s.key.Sign(rand.Reader, digest, opts)
	}
}

func (s *signer) with(scheme tokens.Scheme, h tokens.Hash) signature.Key {
	alg := tokens.Algorithm{Scheme: scheme, Hash: h}
	return signature.Key{Chain: s.chain, Algorithm: alg, Sign: s.sign(alg)}
}

func (s *signer) public() []byte {
	if k, ok := s.key.Public().(*gost.PublicKey); ok {
		return k.Marshal()
	}
	return must(x509.MarshalPKIXPublicKey(s.key.Public()))
}

// combination is a key with one way to sign.
type combination struct {
	name   string
	public []byte
	signature.Key
}

func combinations() (list []combination) {
	for _, h := range []tokens.Hash{tokens.SHA256, tokens.SHA384, tokens.SHA512} {
		for _, k := range []struct {
			alg    tokens.KeyAlgorithm
			scheme tokens.Scheme
			name   string
		}{
			{tokens.RSA2048, tokens.RSAPKCS1v15, "pkcs1"}, {tokens.RSA3072, tokens.RSAPSS, "pss"}, {tokens.ECP256, tokens.ECDSA, "ecdsa"},
			{tokens.ECP384, tokens.ECDSA, "ecdsa"}, {tokens.ECP521, tokens.ECDSA, "ecdsa"},
		} {
			s := keys()[k.alg]
			list = append(list, combination{fmt.Sprintf("%s %s %s", k.alg, k.name, h), s.public(), s.with(k.scheme, h)})
		}
	}
	for _, s := range gostSigners() {
		list = append(list, combination{s.set().Name(), s.public(), s.gost()})
	}
	return list
}

func sum(h tokens.Hash, content []byte) []byte {
	x := h.New()
	x.Write(content)
	return x.Sum(nil)
}

// cades signs content.
func cades(t testing.TB, k signature.Key, content []byte, attached bool, mediaType string) []byte {
	t.Helper()
	d := signature.Document{Digest: sum(k.Algorithm.Hash, content), MediaType: mediaType}
	if attached {
		d.Content, d.Size = bytes.NewReader(content), int64(len(content))
	}
	var out bytes.Buffer
	require.NoError(t, signature.CAdES(context.Background(), &out, k, d, time.Now()))
	return out.Bytes()
}

// program runs an outside program and gives its output.
func program(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed: run make deps", name)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := program(t, name, args...)
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return out
}

// file writes data into the test's folder.
func file(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func pemOf(kind string, der ...[]byte) []byte {
	var out []byte
	for _, d := range der {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: d})...)
	}
	return out
}

func rootPEM(t testing.TB, dir string) string {
	return file(t, dir, "root.pem", pemOf("CERTIFICATE", authority()[0].chain[0]))
}

func extensionOf(id string, value []byte) pkix.Extension {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(id, ".") {
		oid = append(oid, must(strconv.Atoi(part)))
	}
	return pkix.Extension{Id: oid, Value: value}
}
