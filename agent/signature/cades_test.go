package signature_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

func TestOpenSSLVerifiesEverySignature(t *testing.T) {
	dir := t.TempDir()
	root := rootPEM(t, dir)
	content := []byte("Заявление\x00\n о перевыпуске")
	doc := file(t, dir, "document", content)
	for _, c := range combinations() {
		t.Run(c.name, func(t *testing.T) {
			detached := file(t, dir, "detached.p7s", cades(t, c.Key, content, false, "text/plain; charset=utf-8"))
			run(t, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", detached, "-content", doc, "-CAfile", root, "-purpose", "any", "-out", "/dev/null")
			attached := file(t, dir, "attached.p7m", cades(t, c.Key, content, true, ""))
			run(t, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", attached, "-CAfile", root, "-purpose", "any", "-out", doc+".out")
			require.Equal(t, content, must(os.ReadFile(doc+".out")))

			other := file(t, dir, "other", append([]byte("x"), content...))
			out, err := program(t, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", detached, "-content", other, "-CAfile", root, "-purpose", "any", "-out", "/dev/null")
			require.Error(t, err, "openssl accepts another document: %s", out)
		})
	}
}

func TestStructureAsOthersSeeIt(t *testing.T) {
	dir := t.TempDir()
	k := keys()[tokens.ECP256].with(tokens.ECDSA, tokens.SHA384)
	der := cades(t, k, []byte("content"), true, "Text/Plain; Charset=utf-8")
	path := file(t, dir, "a.p7m", der)

	text := run(t, "openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", path)
	for _, want := range []string{"id-smime-aa-signingCertificateV2", "signingTime", "messageDigest", "contentType", "pkcs7-data", "ecdsa-with-SHA384", "0.4.0.1733.2.1", "UTCTIME", "version: 1"} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 2, strings.Count(text, "cert_info:"), "leaf and intermediate are included, the root is not")
	require.Contains(t, run(t, "openssl", "asn1parse", "-inform", "DER", "-in", path), "text/plain; charset=utf-8")

	info := run(t, "certtool", "--p7-info", "--inder", "--infile", path)
	require.Contains(t, info, "Number of certificates: 2")
	require.Contains(t, info, "Signers:")

	// DER: written again by a DER encoder it is the same octets.
	run(t, "openssl", "cms", "-cmsout", "-inform", "DER", "-in", path, "-outform", "DER", "-out", path+".again")
	require.Equal(t, der, must(os.ReadFile(path+".again")))
}

func TestSigningTimeAfter2049(t *testing.T) {
	k := keys()[tokens.ECP256].with(tokens.ECDSA, tokens.SHA256)
	for year, tag := range map[int]string{2049: "UTCTIME", 2050: "GENERALIZEDTIME"} {
		var out bytes.Buffer
		at := time.Date(year, 12, 31, 23, 59, 59, 5e8, time.FixedZone("", 3*3600))
		require.NoError(t, signature.CAdES(context.Background(), &out, k, signature.Document{Digest: sum(tokens.SHA256, nil)}, at))
		path := file(t, t.TempDir(), "x", out.Bytes())
		require.Regexp(t, tag+` *:\d+1231205959Z`, run(t, "openssl", "asn1parse", "-inform", "DER", "-in", path))
	}
}

func TestSelfSignedSignerIsIncluded(t *testing.T) {
	root := authority()[0]
	der := cades(t, root.with(tokens.ECDSA, tokens.SHA256), []byte("x"), false, "")
	list, err := signature.Certificates(der)
	require.NoError(t, err)
	require.Equal(t, root.chain, list)
}

func TestChangedDocumentIsRefused(t *testing.T) {
	k := keys()[tokens.ECP256].with(tokens.ECDSA, tokens.SHA256)
	content := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	for name, c := range map[string]io.Reader{
		"shorter": bytes.NewReader(content[:len(content)-1]),
		"longer":  bytes.NewReader(append(bytes.Clone(content), 0)),
		"other":   bytes.NewReader(append([]byte("1"), content[1:]...)),
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := signature.CAdES(context.Background(), &out, k, signature.Document{Digest: sum(tokens.SHA256, content), Content: c, Size: int64(len(content))}, time.Now())
			require.ErrorIs(t, err, signature.ErrDocumentChanged)
			_, err = signature.VerifyCAdES(&out, nil)
			require.Error(t, err, "what was written is no signature")
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		broken := errors.New("disk")
		err := signature.CAdES(context.Background(), io.Discard, k, signature.Document{Digest: sum(tokens.SHA256, content), Content: io.MultiReader(bytes.NewReader(content), failing{broken}), Size: int64(len(content)) + 1}, time.Now())
		require.ErrorIs(t, err, broken)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestWrongSignatureNeverLeaves(t *testing.T) {
	good := keys()[tokens.ECP256].with(tokens.ECDSA, tokens.SHA256)
	bad := good
	bad.Sign = func(ctx context.Context, d []byte) ([]byte, error) {
		sig, err := good.Sign(ctx, d)
		sig[len(sig)-1] ^= 1
		return sig, err
	}
	var out bytes.Buffer
	digest := sum(tokens.SHA256, []byte("x"))
	require.ErrorIs(t, signature.CAdES(context.Background(), &out, bad, signature.Document{Digest: digest}, time.Now()), signature.ErrInvalid)
	require.Zero(t, out.Len())
	_, err := signature.Raw(context.Background(), bad, digest)
	require.ErrorIs(t, err, signature.ErrInvalid)

	otherKey := good
	otherKey.Sign = keys()[tokens.ECP384].sign(good.Algorithm)
	_, err = signature.Raw(context.Background(), otherKey, digest)
	require.ErrorIs(t, err, signature.ErrInvalid)

	sig, err := signature.Raw(context.Background(), good, digest)
	require.NoError(t, err)
	require.NoError(t, signature.Check(keys()[tokens.ECP256].public(), good.Algorithm, digest, sig))
}

func TestWhatCannotBeSignedIsRefusedBeforeTheKeyIsAsked(t *testing.T) {
	k := keys()[tokens.RSA2048].with(tokens.RSAPKCS1v15, tokens.SHA256)
	k.Sign = func(context.Context, []byte) ([]byte, error) { t.Fatal("the key was asked"); return nil, nil }
	digest := sum(tokens.SHA256, nil)
	sha1 := k
	sha1.Algorithm.Hash = "sha1"
	noChain := k
	noChain.Chain = nil
	for name, c := range map[string]struct {
		k    signature.Key
		d    signature.Document
		want error
	}{
		"SHA-1":          {sha1, signature.Document{Digest: digest[:20]}, signature.ErrAlgorithm},
		"short digest":   {k, signature.Document{Digest: digest[:31]}, signature.ErrMalformed},
		"no certificate": {noChain, signature.Document{Digest: digest}, signature.ErrCertificate},
		"media type":     {k, signature.Document{Digest: digest, MediaType: "text"}, signature.ErrMalformed},
		"negative size":  {k, signature.Document{Digest: digest, Content: strings.NewReader(""), Size: -1}, signature.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, signature.CAdES(context.Background(), io.Discard, c.k, c.d, time.Now()), c.want)
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := signature.Raw(ctx, k, digest)
	require.ErrorIs(t, err, context.Canceled)
}
