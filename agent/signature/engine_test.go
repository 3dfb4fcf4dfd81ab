package signature_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"github.com/stretchr/testify/require"
)

// engineSets are the parameter sets as openssl's engine calls them, with the names here.
var engineSets = []struct{ algorithm, set, digest, name string }{
	{"gost2012_256", "A", "md_gost12_256", "CryptoPro-A"}, {"gost2012_256", "B", "md_gost12_256", "CryptoPro-B"},
	{"gost2012_256", "C", "md_gost12_256", "CryptoPro-C"}, {"gost2012_256", "XA", "md_gost12_256", "CryptoPro-XchA"},
	{"gost2012_256", "TCA", "md_gost12_256", "TC26-256-A"}, {"gost2012_256", "TCB", "md_gost12_256", "TC26-256-B"},
	{"gost2012_256", "TCC", "md_gost12_256", "TC26-256-C"}, {"gost2012_256", "TCD", "md_gost12_256", "TC26-256-D"},
	{"gost2012_512", "A", "md_gost12_512", "TC26-512-A"}, {"gost2012_512", "B", "md_gost12_512", "TC26-512-B"},
	{"gost2012_512", "C", "md_gost12_512", "TC26-512-C"}, {"gost2001", "A", "md_gost94", "CryptoPro-A"},
}

// What openssl's GOST engine makes holds here, and is told by its right names.
func TestWhatTheEngineMakes(t *testing.T) {
	content := bytes.Repeat([]byte("Документ "), 10_000)
	for _, e := range engineSets {
		t.Run(e.algorithm+" "+e.set, func(t *testing.T) {
			dir := t.TempDir()
			key, cert, out, doc := dir+"/key.pem", dir+"/cert.pem", dir+"/out", file(t, dir, "doc", content)
			openssl := func(args ...string) []byte {
				run(t, "openssl", append(args, "-out", out)...)
				return must(os.ReadFile(out))
			}
			kind := "GOST R 34.10-2012, " + strings.TrimPrefix(e.algorithm, "gost2012_") + " bit, " + e.name
			algorithm := tokens.KeyAlgorithm(strings.Replace(e.algorithm, "_", "-", 1))
			old := e.algorithm == "gost2001"
			if old {
				kind, algorithm = "GOST R 34.10-2001, "+e.name, ""
			}
			require.NoError(t, os.WriteFile(key, openssl("genpkey", "-algorithm", e.algorithm, "-pkeyopt", "paramset:"+e.set), 0o600))
			require.Equal(t, kind, field(inspect(t, must(os.ReadFile(key)), nil), "key"))

			require.NoError(t, os.WriteFile(cert, openssl("req", "-new", "-x509", "-key", key, "-subj", "/CN=Engine", "-utf8"), 0o600))
			block, _ := pem.Decode(must(os.ReadFile(cert)))
			c, err := signature.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			require.Equal(t, algorithm, c.KeyAlgorithm)
			d := inspect(t, block.Bytes, nil)
			require.Equal(t, kind, field(d, "key"))
			holds(t, d, true)

			request, _ := pem.Decode(openssl("req", "-new", "-key", key, "-subj", "/CN=Engine"))
			r, err := signature.ParseCSR(request.Bytes)
			require.NoError(t, err)
			require.True(t, tokens.SamePublic(c.Public, r.Public))
			request.Bytes[len(request.Bytes)-1] ^= 1
			_, err = signature.ParseCSR(request.Bytes)
			require.ErrorIs(t, err, signature.ErrInvalid)

			for name, s := range map[string]struct {
				args     []string
				attached bool
				level    string
				bare     bool
			}{
				"detached":                  {nil, false, "", false},
				"attached":                  {[]string{"-nodetach"}, true, "", false},
				"cades":                     {[]string{"-cades"}, false, "B", false},
				"cades, attached, stream":   {[]string{"-cades", "-nodetach", "-stream"}, true, "B", false},
				"without signed attributes": {[]string{"-noattr", "-nodetach"}, true, "", true},
			} {
				data := openssl(append([]string{"cms", "-sign", "-binary", "-md", e.digest, "-in", doc, "-signer", cert, "-inkey", key, "-outform", "DER"}, s.args...)...)
				digest := of(content)
				if s.attached {
					digest = nil
				}
				one := verify(t, data, digest).Signers[0]
				if old && !s.attached {
					require.ErrorIs(t, one.Err, signature.ErrAlgorithm, "no caller has a word for the digest of 1994")
					continue
				}
				require.NoError(t, one.Err, name)
				require.Equal(t, s.level, one.Level)
				require.Equal(t, s.bare, one.SigningTime.IsZero())
				require.Equal(t, block.Bytes, one.Certificate)
				if s.attached {
					i := bytes.Index(data, []byte("Документ"))
					data[i] ^= 1
					require.Error(t, verify(t, data, nil).Signers[0].Err, name)
				} else {
					require.ErrorIs(t, verify(t, data, of([]byte("another"))).Signers[0].Err, signature.ErrDigest, name)
				}
			}
		})
	}
}

// A chain of GOST keys alone, of both sizes, made here: openssl builds it and verifies what the last of them signed.
func TestOpenSSLVerifiesChainsOfGOST(t *testing.T) {
	content := []byte("Заявление")
	for _, set := range []*gost.ParameterSet{gost.CryptoProA(), gost.TC26A512()} {
		dir := t.TempDir()
		root := gostAuthority(set)
		for i, leafSet := range []*gost.ParameterSet{gost.CryptoProA(), gost.TC26A512()} {
			s := &signer{key: must(gost.GenerateKey(leafSet))}
			tpl := template("Person", int64(i+2))
			tpl.KeyUsage = x509.KeyUsageDigitalSignature
			s.chain = [][]byte{certify(s, tpl, root), root.chain[0]}
			anchor, leaf := file(t, dir, "root.pem", pemOf("CERTIFICATE", root.chain[0])), file(t, dir, "leaf.pem", pemOf("CERTIFICATE", s.chain[0]))
			require.Contains(t, run(t, "openssl", "verify", "-check_ss_sig", "-CAfile", anchor, leaf), "OK")
			doc, p7s := file(t, dir, "doc", content), file(t, dir, "p7s", cades(t, s.gost(), content, false, ""))
			run(t, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", p7s, "-content", doc, "-CAfile", anchor, "-purpose", "any", "-out", "/dev/null")
			text := run(t, "openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", p7s)
			// R 1323565.1.025-2019: the key's identifier, no parameters. RFC 5035: a digest that is not SHA-256 is written out.
			info := text[strings.Index(text, "signerInfos:"):]
			require.Regexp(t, `signatureAlgorithm:\s+algorithm: GOST R 34.10-2012 with (256|512) bit modulus .*\s+parameter: <ABSENT>`, info)
			require.Regexp(t, `digestAlgorithm:\s+algorithm: GOST R 34.11-2012 .*\s+parameter: <ABSENT>`, info)
			require.Regexp(t, `prim:     OBJECT            :GOST R 34.11-2012 with (256|512) bit hash\s+\d+:d=3`, info)
			holds(t, inspect(t, s.chain[0], root.chain[0]), true)
		}
	}
}

// A token that hashes by itself is given the message; what it returns is checked over our own digest.
func TestTokenThatHashesByItself(t *testing.T) {
	for _, s := range gostSigners() {
		plain := s.gost()
		k := plain
		k.Algorithm.TokenHash = true
		var given [][]byte
		k.Sign = func(ctx context.Context, message []byte) ([]byte, error) {
			given = append(given, message)
			return plain.Sign(ctx, sum(plain.Algorithm.Hash, message))
		}
		content := []byte("content")
		require.NoError(t, verify(t, cades(t, k, content, true, ""), nil).Signers[0].Err)
		require.EqualValues(t, 0x31, given[0][0], "the signed attributes as SET OF")
		der, err := signature.CSR(context.Background(), s.public(), k.Algorithm, k.Sign, russian(t), everything())
		require.NoError(t, err)
		_, err = signature.ParseCSR(der)
		require.NoError(t, err)
		require.True(t, bytes.Contains(der, given[1]), "the request's info")

		_, err = signature.Raw(context.Background(), k, sum(k.Algorithm.Hash, content))
		require.ErrorIs(t, err, signature.ErrAlgorithm)
		_, err = signature.Signed(context.Background(), s.public(), k.Algorithm, k.Sign, make([]byte, tokens.MaxMessage+1))
		require.ErrorIs(t, err, signature.ErrMalformed)
		require.Len(t, given, 2)

		lying := k
		lying.Sign = func(ctx context.Context, message []byte) ([]byte, error) {
			return plain.Sign(ctx, sum(plain.Algorithm.Hash, append([]byte("x"), message...)))
		}
		var out bytes.Buffer
		err = signature.CAdES(context.Background(), &out, lying, signature.Document{Digest: sum(k.Algorithm.Hash, content)}, time.Now())
		require.ErrorIs(t, err, signature.ErrInvalid)
		require.Zero(t, out.Len())
	}
}
