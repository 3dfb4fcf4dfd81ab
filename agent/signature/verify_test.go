package signature_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

// of gives the digest callback of a detached document.
func of(content []byte) func(tokens.Hash) ([]byte, error) {
	return func(h tokens.Hash) ([]byte, error) { return sum(h, content), nil }
}

func verify(t testing.TB, der []byte, digest func(tokens.Hash) ([]byte, error)) *signature.Report {
	t.Helper()
	r, err := signature.VerifyCAdES(bytes.NewReader(der), digest)
	require.NoError(t, err)
	return r
}

func TestOwnSignaturesVerify(t *testing.T) {
	content := []byte("content")
	for _, c := range combinations() {
		t.Run(c.name, func(t *testing.T) {
			before := time.Now().Add(-2 * time.Second)
			for _, attached := range []bool{true, false} {
				digest := of(content)
				if attached {
					digest = nil
				}
				r := verify(t, cades(t, c.Key, content, attached, "application/pdf"), digest)
				require.Equal(t, attached, r.Attached)
				require.Len(t, r.Signers, 1)
				s := r.Signers[0]
				require.NoError(t, s.Err)
				require.Equal(t, c.Chain[0], s.Certificate)
				require.Equal(t, c.Algorithm.Hash, s.Hash)
				require.Equal(t, "B", s.Level)
				require.Equal(t, "application/pdf", s.MediaType)
				require.WithinRange(t, s.SigningTime, before, time.Now())
			}
		})
	}
}

func TestDocumentOfAnother(t *testing.T) {
	k := combinations()[2].Key
	detached, attached := cades(t, k, []byte("one"), false, ""), cades(t, k, []byte("one"), true, "")
	require.ErrorIs(t, verify(t, detached, of([]byte("two"))).Signers[0].Err, signature.ErrDigest)
	require.ErrorIs(t, verify(t, attached, of([]byte("two"))).Signers[0].Err, signature.ErrDigest, "an attached document is not the one given")
	require.NoError(t, verify(t, attached, of([]byte("one"))).Signers[0].Err)
	_, err := signature.VerifyCAdES(bytes.NewReader(detached), nil)
	require.ErrorIs(t, err, signature.ErrDocumentNeeded)
	broken := errors.New("unreadable")
	_, err = signature.VerifyCAdES(bytes.NewReader(detached), func(tokens.Hash) ([]byte, error) { return nil, broken })
	require.ErrorIs(t, err, broken)
}

// openssl keeps a key and certificate as files for the outside program.
func pemFiles(t testing.TB, dir string, s *signer) (cert, key, chain string) {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(s.key)
	require.NoError(t, err)
	return file(t, dir, "cert.pem", pemOf("CERTIFICATE", s.chain[0])), file(t, dir, "key.pem", pemOf("PRIVATE KEY", pkcs8)),
		file(t, dir, "chain.pem", pemOf("CERTIFICATE", s.chain[1:]...))
}

func TestSignaturesOfOpenSSLVerify(t *testing.T) {
	content := bytes.Repeat([]byte("Документ "), 20_000)
	for name, c := range map[string]struct {
		key      tokens.KeyAlgorithm
		args     []string
		attached bool
		level    string
		want     error
	}{
		"cades":                 {tokens.ECP256, []string{"-cades", "-md", "sha256"}, false, "B", nil},
		"cades sha512":          {tokens.ECP521, []string{"-cades", "-md", "sha512"}, false, "B", nil},
		"pss":                   {tokens.RSA2048, []string{"-cades", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"}, false, "B", nil},
		"pss sha384 attached":   {tokens.RSA3072, []string{"-cades", "-md", "sha384", "-nodetach", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"}, true, "B", nil},
		"attached":              {tokens.RSA2048, []string{"-cades", "-md", "sha384", "-nodetach"}, true, "B", nil},
		"attached, indefinite":  {tokens.ECP384, []string{"-cades", "-md", "sha256", "-nodetach", "-stream"}, true, "B", nil},
		"key identifier":        {tokens.ECP256, []string{"-cades", "-md", "sha256", "-keyid"}, false, "B", nil},
		"plain CMS":             {tokens.ECP256, []string{"-md", "sha256"}, false, "", nil},
		"no attributes":         {tokens.ECP256, []string{"-md", "sha256", "-noattr"}, false, "", signature.ErrMalformed},
		"no certificate":        {tokens.ECP256, []string{"-cades", "-md", "sha256", "-nocerts"}, false, "", signature.ErrCertificate},
		"SHA-1":                 {tokens.RSA2048, []string{"-md", "sha1"}, false, "", signature.ErrAlgorithm},
		"SHA-1 attached":        {tokens.RSA2048, []string{"-md", "sha1", "-nodetach"}, true, "", signature.ErrAlgorithm},
		"MD5":                   {tokens.RSA2048, []string{"-md", "md5"}, false, "", signature.ErrAlgorithm},
		"pss, longest salt":     {tokens.RSA2048, []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:max"}, false, "", signature.ErrAlgorithm},
		"pss, SHA-1 in MGF1":    {tokens.RSA2048, []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_mgf1_md:sha1"}, false, "", signature.ErrAlgorithm},
		"another content type":  {tokens.ECP256, []string{"-cades", "-md", "sha256", "-econtent_type", "1.2.3.4"}, false, "", nil},
		"with smime attributes": {tokens.ECP256, []string{"-cades", "-md", "sha256", "-receipt_request_all", "-receipt_request_to", "a@b.ru"}, false, "B", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := keys()[c.key]
			if name == "key identifier" {
				tpl := template("With identifier", 77)
				tpl.SubjectKeyId = []byte{1, 2, 3, 4}
				s = issue(s.key, tpl)
			}
			cert, key, chain := pemFiles(t, dir, s)
			doc, out := file(t, dir, "doc", content), dir+"/out"
			for _, form := range []string{"DER", "PEM"} {
				run(t, "openssl", append([]string{"cms", "-sign", "-binary", "-in", doc, "-signer", cert, "-inkey", key, "-certfile", chain, "-outform", form, "-out", out}, c.args...)...)
				digest := of(content)
				if c.attached {
					digest = nil
				}
				data := must(os.ReadFile(out))
				r := verify(t, data, digest)
				require.Equal(t, c.attached, r.Attached)
				if c.attached {
					require.EqualValues(t, len(content), r.ContentSize)
				}
				if c.want != nil {
					require.ErrorIs(t, r.Signers[0].Err, c.want)
					continue
				}
				require.NoError(t, r.Signers[0].Err)
				require.Equal(t, c.level, r.Signers[0].Level)
				require.Equal(t, s.chain[0], r.Signers[0].Certificate)
				if form == "DER" {
					base := []byte(base64.StdEncoding.EncodeToString(data))
					require.NoError(t, verify(t, base, digest).Signers[0].Err, "base64 alone")
				}
			}
		})
	}
}

func TestSeveralSigners(t *testing.T) {
	dir := t.TempDir()
	content := []byte("two hands")
	cert, key, _ := pemFiles(t, dir, keys()[tokens.ECP256])
	one := dir + "/one"
	run(t, "openssl", "cms", "-sign", "-cades", "-binary", "-nodetach", "-md", "sha256", "-in", file(t, dir, "doc", content), "-signer", cert, "-inkey", key, "-outform", "DER", "-out", one)
	cert, key, _ = pemFiles(t, dir, keys()[tokens.RSA2048])
	two := dir + "/two"
	run(t, "openssl", "cms", "-resign", "-cades", "-binary", "-md", "sha256", "-inform", "DER", "-in", one, "-signer", cert, "-inkey", key, "-nodetach", "-outform", "DER", "-out", two)
	data := must(os.ReadFile(two))
	r := verify(t, data, nil)
	require.Len(t, r.Signers, 2)
	var who [][]byte
	for _, s := range r.Signers {
		require.NoError(t, s.Err)
		who = append(who, s.Certificate)
	}
	require.ElementsMatch(t, [][]byte{keys()[tokens.ECP256].chain[0], keys()[tokens.RSA2048].chain[0]}, who)

	// One hand broken leaves the other.
	i := bytes.LastIndex(data, []byte{0x04, 0x82, 0x01, 0x00}) // the RSA signature value
	require.Positive(t, i)
	data[i+10] ^= 1
	bad := 0
	for _, s := range verify(t, data, nil).Signers {
		if s.Err != nil {
			require.ErrorIs(t, s.Err, signature.ErrInvalid)
			bad++
		}
	}
	require.Equal(t, 1, bad)
}

func TestWeakKeyIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	s := issue(key, template("Weak", 99))
	dir := t.TempDir()
	cert, keyFile, _ := pemFiles(t, dir, s)
	out := dir + "/out"
	run(t, "openssl", "cms", "-sign", "-cades", "-binary", "-md", "sha256", "-in", file(t, dir, "doc", []byte("x")), "-signer", cert, "-inkey", keyFile, "-outform", "DER", "-out", out)
	require.ErrorIs(t, verify(t, must(os.ReadFile(out)), of([]byte("x"))).Signers[0].Err, signature.ErrAlgorithm)
	_, err = signature.Raw(context.Background(), s.with(tokens.RSAPKCS1v15, tokens.SHA256), sum(tokens.SHA256, nil))
	require.ErrorIs(t, err, signature.ErrAlgorithm)
}

// Another certificate of the same key, or one of the same issuer and number, does not pass for the signer's.
func TestSubstitutedCertificate(t *testing.T) {
	s := keys()[tokens.ECP256]
	twin := s // the same key, issuer and serial number, another certificate; ECDSA signatures vary in length
	for twin == s || len(twin.chain[0]) != len(s.chain[0]) {
		twin = issue(s.key, template("Иванов Иван Иванович", 12))
	}
	require.NotEqual(t, s.chain[0], twin.chain[0])
	der := cades(t, s.with(tokens.ECDSA, tokens.SHA256), []byte("x"), false, "")
	der = bytes.Replace(der, s.chain[0], twin.chain[0], 1)
	require.ErrorIs(t, verify(t, der, of([]byte("x"))).Signers[0].Err, signature.ErrCertificate)
}

// Flipped is every octet of a signature changed in several ways: what is signed (document, signed attributes, certificate) must never be reported
// valid as something else. What is not signed may change unnoticed: SignedData's and the other certificates' own octets.
func TestEveryOctetFlipped(t *testing.T) {
	content := []byte("attached content")
	k := combinations()[2].Key
	for _, attached := range []bool{true, false} {
		der := cades(t, k, content, attached, "text/plain")
		digest := of(content)
		if attached {
			digest = nil
		}
		good := verify(t, der, digest)
		where := bytes.Index(der, content)
		intermediate, leaf := bytes.Index(der, k.Chain[1]), bytes.Index(der, k.Chain[0])
		survived := 0
		for i := range der {
			for _, x := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 255} {
				bad := bytes.Clone(der)
				bad[i] ^= x
				r, err := signature.VerifyCAdES(bytes.NewReader(bad), digest)
				if err != nil || r.Signers[0].Err != nil {
					continue
				}
				survived++
				require.Len(t, r.Signers, 1)
				require.Equal(t, good.Signers[0], r.Signers[0], "octet %d ^ %#x", i, x)
				require.Equal(t, good.Attached, r.Attached)
				require.Equal(t, good.ContentSize, r.ContentSize)
				require.Equal(t, good.ContentType, r.ContentType)
				require.False(t, attached && i >= where && i < where+len(content), "a changed document verifies: octet %d", i)
				require.False(t, i >= leaf && i < leaf+len(k.Chain[0]), "a changed certificate verifies: octet %d", i)
				inIntermediate := i >= intermediate && i < intermediate+len(k.Chain[1])
				version := der[i-2] == 2 && der[i-1] == 1 // SignedData.version 1 -> 3, 5
				require.True(t, inIntermediate || version, "octet %d ^ %#x of %d verifies: % x", i, x, len(der), der[max(0, i-6):min(len(der), i+6)])
			}
		}
		require.Positive(t, survived)
	}
}

func TestMalformedIsAnErrorAndNeverValid(t *testing.T) {
	k := combinations()[2].Key
	der := cades(t, k, []byte("content"), true, "")
	for n := range der {
		_, err := signature.VerifyCAdES(bytes.NewReader(der[:n]), nil)
		require.ErrorIs(t, err, signature.ErrMalformed, "cut at %d", n)
	}
	_, err := signature.VerifyCAdES(bytes.NewReader(append(bytes.Clone(der), 0)), nil)
	require.ErrorIs(t, err, signature.ErrMalformed, "something behind it")
	_, err = signature.VerifyCAdES(bytes.NewReader(k.Chain[0]), nil)
	require.ErrorIs(t, err, signature.ErrMalformed, "a certificate")
	certsOnly := file(t, t.TempDir(), "c", pemOf("CERTIFICATE", k.Chain...))
	run(t, "openssl", "crl2pkcs7", "-nocrl", "-certfile", certsOnly, "-outform", "DER", "-out", certsOnly+".p7b")
	_, err = signature.VerifyCAdES(bytes.NewReader(must(os.ReadFile(certsOnly+".p7b"))), nil)
	require.ErrorIs(t, err, signature.ErrMalformed, "nobody signed")
	for _, text := range []string{"", "M", "Mary had a little lamb", "-----BEGIN CMS-----", "-----BEGIN CMS-----\nMary\n-----END CMS-----\n", "-----BEGIN CERTIFICATE-----\nMIIB\n", "<?xml?>"} {
		_, err = signature.VerifyCAdES(strings.NewReader(text), nil)
		require.ErrorIs(t, err, signature.ErrMalformed, text)
	}
	broken := errors.New("disk")
	_, err = signature.VerifyCAdES(io.MultiReader(bytes.NewReader(der[:100]), failing{broken}), nil)
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, signature.ErrMalformed, "a disk that fails says nothing of the signature")
}

// endless gives a document that nobody keeps in memory.
type endless struct{ n, size int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == e.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.size-e.n)
	for i := range p[:n] {
		p[i] = byte(e.n + int64(i))
	}
	e.n += n
	return int(n), nil
}

func TestLargeDocumentInBoundedMemory(t *testing.T) {
	const large = 64 << 20
	k := combinations()[2].Key
	h := sha256.New()
	_, err := io.Copy(h, &endless{size: large})
	require.NoError(t, err)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(signature.CAdES(context.Background(), w, k, signature.Document{Digest: h.Sum(nil), Content: &endless{size: large}, Size: large}, time.Now()))
	}()
	report, err := signature.VerifyCAdES(r, nil)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.NoError(t, report.Signers[0].Err)
	require.EqualValues(t, large, report.ContentSize)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "all that was allocated for signing and verifying 64 MiB")
}

// Lengths that promise much, nests and lists that go on: the answer is quick and costs little.
func TestHostileInputCostsLittle(t *testing.T) {
	signed := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	start := append([]byte{0x30, 0x80}, append(signed, 0xa0, 0x80, 0x30, 0x80, 2, 1, 1)...)
	data := []byte{0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	inner := join(start, []byte{0x31, 0}, data)
	for name, in := range map[string]io.Reader{
		"length of 8 EiB":        bytes.NewReader([]byte{0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		"negative length":        bytes.NewReader([]byte{0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		"algorithms of 1 GiB":    bytes.NewReader(join(start, []byte{0x31, 0x84, 0x40, 0, 0, 0})),
		"content that nests":     bytes.NewReader(join(inner, []byte{0xa0, 0x80}, bytes.Repeat([]byte{0x24, 0x80}, 100_000))),
		"certificates that nest": bytes.NewReader(join(inner, []byte{0, 0, 0xa0, 0x80}, bytes.Repeat([]byte{0x30, 0x80}, 100_000))),
		"certificate of 2 GiB":   io.MultiReader(bytes.NewReader(join(inner, []byte{0, 0, 0xa0, 0x80, 0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})), &endless{size: 1 << 31}),
		"CRLs that nest":         bytes.NewReader(join(inner, []byte{0, 0, 0xa1, 0x80}, bytes.Repeat([]byte{0x30, 0x80}, 100_000))),
		"signers without end":    bytes.NewReader(join(inner, []byte{0, 0, 0x31, 0x80}, bytes.Repeat([]byte{0x30, 0}, 100_000))),
		"PEM line without end":   io.MultiReader(bytes.NewReader([]byte("-----BEGIN ")), &endless{size: 1 << 31}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := signature.VerifyCAdES(in, of(nil))
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, signature.ErrMalformed)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
		})
	}
}

func TestCertificatesOfEveryForm(t *testing.T) {
	dir := t.TempDir()
	chain := keys()[tokens.ECP256].chain
	bundle := file(t, dir, "bundle.pem", pemOf("CERTIFICATE", chain...))
	run(t, "openssl", "crl2pkcs7", "-nocrl", "-certfile", bundle, "-outform", "DER", "-out", dir+"/p7.der")
	run(t, "openssl", "crl2pkcs7", "-nocrl", "-certfile", bundle, "-outform", "PEM", "-out", dir+"/p7.pem")
	p7 := must(os.ReadFile(dir + "/p7.der"))
	for name, c := range map[string]struct {
		data []byte
		want [][]byte
	}{
		"DER":            {chain[0], chain[:1]},
		"base64":         {[]byte(base64.StdEncoding.EncodeToString(chain[0])), chain[:1]},
		"PEM":            {must(os.ReadFile(bundle)), chain},
		"PKCS#7":         {p7, chain},
		"PKCS#7 in PEM":  {must(os.ReadFile(dir + "/p7.pem")), chain},
		"PKCS#7, base64": {pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: p7}), chain},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := signature.Certificates(c.data)
			require.NoError(t, err)
			require.ElementsMatch(t, c.want, got)
		})
	}
	for name, data := range map[string][]byte{"nothing": nil, "words": []byte("hello"), "half": chain[0][:100], "key in PEM": pemOf("PRIVATE KEY", []byte{1})} {
		t.Run(name, func(t *testing.T) {
			_, err := signature.Certificates(data)
			require.ErrorIs(t, err, signature.ErrMalformed)
		})
	}
}

func BenchmarkDetached(b *testing.B) {
	k := combinations()[2].Key
	b.Run("sha256 alone", func(b *testing.B) {
		b.SetBytes(64 << 20)
		for b.Loop() {
			hashed(b)
		}
	})
	b.Run("detached CAdES", func(b *testing.B) {
		b.SetBytes(64 << 20)
		for b.Loop() {
			d := signature.Document{Digest: hashed(b)}
			if err := signature.CAdES(context.Background(), io.Discard, k, d, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("attached CAdES", func(b *testing.B) {
		b.SetBytes(64 << 20)
		for b.Loop() {
			d := signature.Document{Digest: hashed(b), Content: zeros(), Size: 64 << 20}
			if err := signature.CAdES(context.Background(), io.Discard, k, d, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSmallDocument(b *testing.B) {
	k := combinations()[2].Key
	digest := sum(tokens.SHA256, nil)
	b.Run("bare ECDSA", func(b *testing.B) {
		for b.Loop() {
			if _, err := k.Sign(context.Background(), digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("CAdES, proved", func(b *testing.B) {
		for b.Loop() {
			if err := signature.CAdES(context.Background(), io.Discard, k, signature.Document{Digest: digest}, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func zeros() io.Reader { return io.LimitReader(zero{}, 64<<20) }

type zero struct{}

func (zero) Read(p []byte) (int, error) { return len(p), nil }

func hashed(b *testing.B) []byte {
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, zeros(), make([]byte, 64<<10)); err != nil {
		b.Fatal(err)
	}
	return h.Sum(nil)
}
