package signature_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/tokentest/published"
	"github.com/stretchr/testify/require"
)

// Published vectors with verdicts: forged, malleable and oddly encoded signatures.
func TestWycheproof(t *testing.T) {
	hashes := map[string]tokens.Hash{"SHA-256": tokens.SHA256, "SHA-384": tokens.SHA384, "SHA-512": tokens.SHA512}
	for name, scheme := range map[string]tokens.Scheme{
		"ecdsa_secp256r1_sha256_p1363_test": tokens.ECDSA, "ecdsa_secp384r1_sha384_p1363_test": tokens.ECDSA, "ecdsa_secp521r1_sha512_p1363_test": tokens.ECDSA,
		"ecdsa_secp256r1_sha256_test": tokens.ECDSA, "ecdsa_secp384r1_sha384_test": tokens.ECDSA, "ecdsa_secp521r1_sha512_test": tokens.ECDSA,
		"rsa_pss_2048_sha256_mgf1_32_test": tokens.RSAPSS, "rsa_pss_2048_sha256_mgf1_32_params_test": tokens.RSAPSS, "rsa_pss_2048_sha384_mgf1_48_test": tokens.RSAPSS,
		"rsa_pss_3072_sha256_mgf1_32_test": tokens.RSAPSS, "rsa_pss_misc_test": tokens.RSAPSS, "rsa_pss_misc_params_test": tokens.RSAPSS,
	} {
		t.Run(name, func(t *testing.T) {
			var file struct {
				TestGroups []struct {
					PublicKeyDer string
					Sha, MgfSha  string
					SLen         int
					Tests        []struct {
						TcID             int
						Comment, Result  string
						Msg, Sig, Params string
					}
				}
			}
			require.NoError(t, json.Unmarshal(published.File(t, "wycheproof/testvectors_v1/"+name+".json"), &file))
			valid, invalid := 0, 0
			for _, g := range file.TestGroups {
				h, known := hashes[g.Sha]
				if !known {
					continue
				}
				// Only PSS with one hash and a salt as long as the digest is taken here; the rest must be refused.
				taken := scheme != tokens.RSAPSS || g.MgfSha == g.Sha && g.SLen == h.Size()
				key := must(hex.DecodeString(g.PublicKeyDer))
				for _, c := range g.Tests {
					sig := must(hex.DecodeString(c.Sig))
					if strings.Contains(name, "p1363") {
						sig = derOf(key, sig)
					}
					err := signature.Check(key, tokens.Algorithm{Scheme: scheme, Hash: h}, sum(h, must(hex.DecodeString(c.Msg))), sig)
					if taken && c.Result == "valid" {
						require.NoError(t, err, "%d %s", c.TcID, c.Comment)
						valid++
					} else {
						require.Error(t, err, "%d %s", c.TcID, c.Comment)
						invalid++
					}
				}
			}
			t.Logf("%d valid, %d refused", valid, invalid)
			require.Positive(t, valid)
		})
	}
}

// derOf writes r || s (IEEE P1363) as ECDSA signatures are here; what has not the curve's length is no signature in that form.
func derOf(spki, sig []byte) []byte {
	size := (must(x509.ParsePKIXPublicKey(spki)).(*ecdsa.PublicKey).Params().BitSize + 7) / 8
	if len(sig) != 2*size {
		return nil
	}
	return must(asn1.Marshal([]*big.Int{new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])}))
}

func TestKeysAndAlgorithmsThatDoNotFit(t *testing.T) {
	for alg, s := range keys() {
		got, err := signature.KeyAlgorithmOf(s.public())
		require.NoError(t, err)
		require.Equal(t, alg, got)
	}
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ed := must(x509.MarshalPKIXPublicKey(pub))
	_, err = signature.KeyAlgorithmOf(ed)
	require.ErrorIs(t, err, signature.ErrAlgorithm)
	_, err = signature.KeyAlgorithmOf([]byte("key"))
	require.ErrorIs(t, err, signature.ErrMalformed)

	digest := sum(tokens.SHA256, nil)
	ec := tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}
	require.ErrorIs(t, signature.Check(keys()[tokens.RSA2048].public(), ec, digest, nil), signature.ErrAlgorithm)
	require.ErrorIs(t, signature.Check(keys()[tokens.ECP256].public(), tokens.Algorithm{Scheme: tokens.ECDSA, Hash: "sha1"}, digest[:20], nil), signature.ErrAlgorithm)
	require.ErrorIs(t, signature.Check(keys()[tokens.ECP256].public(), ec, digest[:20], nil), signature.ErrMalformed)
	require.ErrorIs(t, signature.Check(keys()[tokens.ECP256].public(), ec, digest, nil), signature.ErrInvalid)

	off := keys()[tokens.ECP256].public()
	off[len(off)-1] ^= 1 // no longer on the curve
	require.ErrorIs(t, signature.Check(off, ec, digest, nil), signature.ErrMalformed)
}
