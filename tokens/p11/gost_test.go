package p11_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/tokentest"
)

var streebog = tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}

// withEngine runs openssl with its GOST engine.
func withEngine(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=../../testdata/gost-engine.cnf")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "openssl %v\n%s", args, out)
	return string(out)
}

// holdsGOST asks OpenSSL's engine whether a signature of a document holds.
func holdsGOST(t *testing.T, spki []byte, hash tokens.Hash, document, signature []byte) {
	t.Helper()
	name := map[tokens.Hash]string{tokens.Streebog256: "md_gost12_256", tokens.Streebog512: "md_gost12_512"}[hash]
	require.Contains(t, withEngine(t, "dgst", "-"+name, "-verify", write(t, "key.der", spki), "-keyform", "DER",
		"-signature", write(t, "signature", signature), write(t, "document", document)), "Verified OK")
}

// cardTool runs pkcs11-tool on the test module, logged in.
func cardTool(t *testing.T, library string, args ...string) string {
	t.Helper()
	return run(t, "pkcs11-tool", append([]string{"--module", library, "--login", "--pin", "1234"}, args...)...)
}

// toolsPublic gives the SubjectPublicKeyInfo of a GOST key as pkcs11-tool lists it. (0.23 does not write GOST public keys to a file.)
func toolsPublic(t *testing.T, library, id string, hash tokens.Hash) []byte {
	t.Helper()
	list := cardTool(t, library, "--list-objects", "--type", "pubkey")
	for _, object := range strings.Split(list, "Public Key Object") {
		if !regexp.MustCompile(`\bID: +` + id + `\n`).MatchString(object) {
			continue
		}
		params := regexp.MustCompile(`PARAMS OID: ([0-9a-f]+)\n`).FindStringSubmatch(object)
		value := regexp.MustCompile(`VALUE:((?: +[0-9a-f]{64}\n)+)`).FindStringSubmatch(object)
		require.Len(t, params, 2, object)
		require.Len(t, value, 2, object)
		der, err := hex.DecodeString(params[1])
		require.NoError(t, err)
		var oid asn1.ObjectIdentifier
		_, err = asn1.Unmarshal(der, &oid)
		require.NoError(t, err)
		octets, err := hex.DecodeString(strings.Join(strings.Fields(value[1]), ""))
		require.NoError(t, err)
		kind, sets := asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, []asn1.ObjectIdentifier{oid, {1, 2, 643, 7, 1, 1, 2, 2}}
		if hash == tokens.Streebog512 {
			kind, sets = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, sets[:1]
		}
		inside, err := asn1.Marshal(octets)
		require.NoError(t, err)
		type algorithm struct {
			OID    asn1.ObjectIdentifier
			Params []asn1.ObjectIdentifier
		}
		spki, err := asn1.Marshal(struct {
			Algorithm algorithm
			Key       asn1.BitString
		}{algorithm{kind, sets}, asn1.BitString{Bytes: inside, BitLength: 8 * len(inside)}})
		require.NoError(t, err)
		return spki
	}
	require.Fail(t, "pkcs11-tool lists no such key", "%s in %s", id, list)
	return nil
}

// Each set of OpenSC's pkcs11-tool: what it calls 256 B, C, D are CryptoPro-A, -B, -C, its A is TC26-256-A.
var toolSets = []struct {
	name, id, set string
	hash          tokens.Hash
	bare, hashing string // mechanisms as pkcs11-tool calls them
}{
	{"GOSTR3410-2012-256:A", "0a", "TC26-256-A", tokens.Streebog256, "GOSTR3410", "GOSTR3410-WITH-GOSTR3411-12-256"},
	{"GOSTR3410-2012-256:B", "0b", "CryptoPro-A", tokens.Streebog256, "GOSTR3410", "GOSTR3410-WITH-GOSTR3411-12-256"},
	{"GOSTR3410-2012-256:C", "0c", "CryptoPro-B", tokens.Streebog256, "GOSTR3410", "GOSTR3410-WITH-GOSTR3411-12-256"},
	{"GOSTR3410-2012-256:D", "0d", "CryptoPro-C", tokens.Streebog256, "GOSTR3410", "GOSTR3410-WITH-GOSTR3411-12-256"},
	{"GOSTR3410-2012-512:A", "1a", "TC26-512-A", tokens.Streebog512, "GOSTR3410_512", "GOSTR3410-WITH-GOSTR3411-12-512"},
	{"GOSTR3410-2012-512:B", "1b", "TC26-512-B", tokens.Streebog512, "GOSTR3410_512", "GOSTR3410-WITH-GOSTR3411-12-512"},
	{"GOSTR3410-2012-512:C", "1c", "TC26-512-C", tokens.Streebog512, "GOSTR3410_512", "GOSTR3410-WITH-GOSTR3411-12-512"},
}

// The module is judged by programs that are not ours, then it judges us: keys that pkcs11-tool made are found and signed with.
func TestGOSTOfOtherPrograms(t *testing.T) {
	m, library := newCard(t, "key none")
	document := []byte("a document")
	for _, c := range toolSets {
		cardTool(t, library, "--keypairgen", "--key-type", c.name, "--id", c.id, "--label", c.set)
		public := toolsPublic(t, library, c.id, c.hash)
		for mechanism, data := range map[string][]byte{c.bare: digestOf(c.hash, string(document)), c.hashing: document} {
			out := filepath.Join(t.TempDir(), "signature")
			cardTool(t, library, "--sign", "--id", c.id, "--mechanism", mechanism, "-i", write(t, "data", data), "-o", out)
			signature, err := os.ReadFile(out)
			require.NoError(t, err)
			holdsGOST(t, public, c.hash, document, signature)
			require.Contains(t, cardTool(t, library, "--verify", "--id", c.id, "--mechanism", mechanism, "-i", write(t, "data", data),
				"--signature-file", out), "Signature is valid")
		}
	}
	s := enter(t, m, nil)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, len(toolSets))
	for i, c := range toolSets {
		key := keys[i]
		require.Equal(t, tokens.KeyID(c.id), key.ID)
		require.Equal(t, c.hash, tokens.HashOf(key.Algorithm))
		public, err := gost.ParsePublicKey(key.Public)
		require.NoError(t, err)
		require.Equal(t, c.set, public.Set().Name(), "the token's parameter set is kept")
		require.True(t, tokens.SamePublic(key.Public, toolsPublic(t, library, c.id, c.hash)))
		signature, err := s.Sign(t.Context(), key.ID, tokens.Algorithm{Scheme: tokens.GOST, Hash: c.hash}, digestOf(c.hash, string(document)))
		require.NoError(t, err)
		holdsGOST(t, key.Public, c.hash, document, signature)
	}
}

func TestGOSTAsOtherProgramsSeeIt(t *testing.T) {
	m, library := newCard(t, "key none")
	s := enter(t, m, nil)
	ca := tokentest.NewAuthority(t)
	for algorithm, shown := range map[tokens.KeyAlgorithm][2]string{
		tokens.GOST2012256: {"GOSTR3410-2012-256", "06072a850302022301"},
		tokens.GOST2012512: {"GOSTR3410-2012-512", "06092a8503070102010201"},
	} {
		key, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: algorithm, Label: "подпись"})
		require.NoError(t, err)
		require.True(t, tokens.SamePublic(key.Public, toolsPublic(t, library, string(key.ID), tokens.HashOf(algorithm))))
		list := cardTool(t, library, "--list-objects", "--type", "privkey")
		require.Regexp(t, `Private Key Object; `+shown[0]+`\W*PARAMS OID: `+shown[1]+`\n.*label: +подпись\n.*ID: +`+string(key.ID)+
			`\n.*Usage: +sign\n.*sensitive, always sensitive, never extractable, local`, strings.ReplaceAll(list, "\n  ", "\n"))
		leaf := ca.Issue(t, key.Public, "Иван")
		require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{leaf, ca.DER}))
		out := filepath.Join(t.TempDir(), "certificate")
		cardTool(t, library, "--read-object", "--type", "cert", "--id", string(key.ID), "-o", out)
		read, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, leaf, read)
	}
}

func TestTheTestModuleIsACard(t *testing.T) {
	library := testmodule.Build(t)
	testmodule.Control(t, library, "key rsa")
	out := cardTool(t, library, "--test")
	require.Contains(t, out, "RSA-PKCS: OK")
	require.Contains(t, out, "all 4 digest functions seem to work")
	require.Contains(t, out, "No errors")
	for _, kind := range []string{"EC:prime256v1", "rsa:2048"} {
		cardTool(t, library, "--keypairgen", "--key-type", kind, "--id", "77")
		require.Contains(t, cardTool(t, library, "--list-objects"), "ID:         77")
		cardTool(t, library, "--delete-object", "--type", "privkey", "--id", "77")
		cardTool(t, library, "--delete-object", "--type", "pubkey", "--id", "77")
		require.NotContains(t, cardTool(t, library, "--list-objects"), "ID:         77")
	}
	der := newAuthority(t).cert.Raw
	cardTool(t, library, "--write-object", write(t, "c.der", der), "--type", "cert", "--id", "78")
	require.Contains(t, cardTool(t, library, "--list-objects", "--type", "cert"), "CN=Test CA")
	for n, say := range []string{"final user PIN try", "user PIN locked"} {
		for range 2 - n {
			require.Error(t, exec.Command("pkcs11-tool", "--module", library, "--login", "--pin", "9999", "--list-objects").Run())
		}
		require.Contains(t, run(t, "pkcs11-tool", "--module", library, "--list-slots"), say)
	}
	require.Error(t, exec.Command("pkcs11-tool", "--module", library, "--login", "--pin", "1234", "--list-objects").Run())
}

func TestGOSTSignatureThatDoesNotHold(t *testing.T) {
	for _, settings := range [][]string{nil, {"model Hashing card"}, {"nopublic 1"}} {
		for how, want := range map[string]error{
			"swapped": tokens.ErrByteOrder, "reversed": tokens.ErrByteOrder, "little": tokens.ErrByteOrder, "wrong": tokens.ErrSignature,
		} {
			for _, kind := range []string{"gost256", "gost512"} {
				m, library := newCard(t, append(settings, "key "+kind, "signature "+how)...)
				s := enter(t, m, nil)
				keys, err := s.Keys(t.Context())
				require.NoError(t, err)
				require.Len(t, keys, 1)
				alg := tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.HashOf(keys[0].Algorithm), TokenHash: keys[0].TokenHash}
				data := digestOf(alg.Hash, "document")
				signature, err := s.Sign(t.Context(), keys[0].ID, alg, data)
				require.ErrorIs(t, err, want)
				require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
				require.Nil(t, signature)
				require.Equal(t, 1, testmodule.Calls(t, library, "C_SignInit"), "not tried again")
				testmodule.Control(t, library, append(settings, "key "+kind)...)
				_, err = s.Sign(t.Context(), keys[0].ID, alg, data)
				require.NoError(t, err, "the session lives on")
			}
		}
	}
}

func TestTokenHash(t *testing.T) {
	m, library := newCard(t, "key gost256", "model Hashing card")
	keys, _, err := m.Objects(t.Context(), only(t, m).ID)
	require.NoError(t, err)
	require.True(t, keys[0].TokenHash)
	s := enter(t, m, nil)
	for _, document := range [][]byte{{}, []byte("a document"), bytes.Repeat([]byte{7}, tokens.MaxMessage)} {
		signature, err := s.Sign(t.Context(), "01", tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256, TokenHash: true}, document)
		require.NoError(t, err)
		holdsGOST(t, keys[0].Public, tokens.Streebog256, document, signature)
	}
	signature, err := s.Sign(t.Context(), "01", streebog, digestOf(tokens.Streebog256, "x"))
	require.NoError(t, err, "it takes a digest as well")
	holdsGOST(t, keys[0].Public, tokens.Streebog256, []byte("x"), signature)
	require.Zero(t, testmodule.Calls(t, library, "C_SignUpdate"))
}

func TestGOST2001IsListedAndNotUsed(t *testing.T) {
	m, library := newCard(t, "key none")
	cardTool(t, library, "--keypairgen", "--key-type", "GOSTR3410:A", "--id", "01")
	keys, _, err := m.Objects(t.Context(), only(t, m).ID)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Empty(t, keys[0].Algorithm)
	public, err := gost.ParsePublicKey(keys[0].Public)
	require.NoError(t, err)
	require.True(t, public.Is2001())
	s := enter(t, m, nil)
	after, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, keys, after)
	_, err = s.Sign(t.Context(), "01", streebog, make([]byte, 32))
	require.ErrorIs(t, err, tokens.ErrUnsupported)
	require.Zero(t, testmodule.Calls(t, library, "C_Sign"))

	m, _ = newCard(t, "old 1")
	require.Equal(t, []tokens.KeyAlgorithm{tokens.RSA2048, tokens.RSA3072, tokens.RSA4096, tokens.ECP256}, only(t, m).Algorithms,
		"a token of 2001 makes no keys of 2012")
}

func TestGOSTKeyThatOnlyItsCertificateTells(t *testing.T) {
	for _, settings := range [][]string{{"nopublic 1"}, {"nodigest 1"}, {"nopublic 1", "nodigest 1"}} {
		for kind, algorithm := range map[string]tokens.KeyAlgorithm{"gost256": tokens.GOST2012256, "gost512": tokens.GOST2012512} {
			m, _ := newCard(t, append(settings, "key "+kind)...)
			s, key := toldByCertificate(t, m)
			require.Equal(t, algorithm, key.Algorithm)
			hash := tokens.HashOf(algorithm)
			signature, err := s.Sign(t.Context(), "01", tokens.Algorithm{Scheme: tokens.GOST, Hash: hash}, digestOf(hash, "x"))
			require.NoError(t, err)
			holdsGOST(t, key.Public, hash, []byte("x"), signature)
		}
	}
}

// One key is written in several ways: a certificate names its curve by another name than the token does.
func TestGOSTCertificateUnderAnotherNameOfTheCurve(t *testing.T) {
	m, _ := newCard(t, "key none")
	s := enter(t, m, nil)
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.GOST2012256})
	require.NoError(t, err)
	public, err := gost.ParsePublicKey(key.Public)
	require.NoError(t, err)
	exchange, err := gost.ByOID(asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 0})
	require.NoError(t, err)
	renamed, err := gost.NewPublicKey(exchange, public.Bytes())
	require.NoError(t, err)
	require.NotEqual(t, key.Public, renamed.Marshal())
	leaf := tokentest.NewAuthority(t).Issue(t, renamed.Marshal(), "Иван")
	require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{leaf}))
	keys, certificates, err := m.Objects(t.Context(), only(t, m).ID)
	require.NoError(t, err)
	require.Equal(t, []tokens.Key{key}, keys, "no second key")
	require.Equal(t, []tokens.Certificate{{DER: leaf, Key: key.ID}}, certificates)
	require.ErrorIs(t, s.Delete(t.Context(), key.ID), tokens.ErrInUse)
}

func TestGOSTKeysOfOneID(t *testing.T) {
	for _, id := range [][]string{{"--id", "05"}, nil} {
		m, library := newCard(t, "key none")
		for range 3 {
			cardTool(t, library, append([]string{"--keypairgen", "--key-type", "GOSTR3410-2012-256:B"}, id...)...)
		}
		keys, _, err := m.Objects(t.Context(), only(t, m).ID)
		require.NoError(t, err)
		require.Len(t, keys, 3)
		s := enter(t, m, nil)
		after, err := s.Keys(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t, keys, after)
		for _, key := range after {
			signature, err := s.Sign(t.Context(), key.ID, streebog, digestOf(tokens.Streebog256, "x"))
			require.NoError(t, err)
			holdsGOST(t, key.Public, tokens.Streebog256, []byte("x"), signature)
		}
	}
}

func TestGOSTKeyTakesNoOtherKindsPublicKey(t *testing.T) {
	for _, settings := range [][]string{nil, {"nodigest 1"}} {
		m, library := newCard(t, append(settings, "key none")...)
		cardTool(t, library, "--keypairgen", "--key-type", "GOSTR3410-2012-256:B", "--id", "05")
		cardTool(t, library, "--delete-object", "--type", "pubkey", "--id", "05")
		cardTool(t, library, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "05")
		s := enter(t, m, nil)
		keys, err := s.Keys(t.Context())
		require.NoError(t, err)
		require.Len(t, keys, 2)
		for _, key := range keys {
			if key.Public != nil {
				require.Equal(t, tokens.ECP256, key.Algorithm)
				sign(t, s, key)
				continue
			}
			if settings == nil {
				require.Equal(t, tokens.GOST2012256, key.Algorithm)
			} else {
				require.Empty(t, key.Algorithm, "it may be one of 2001")
			}
			_, err := s.Sign(t.Context(), key.ID, streebog, digestOf(tokens.Streebog256, "x"))
			require.ErrorIs(t, err, tokens.ErrUnsupported)
		}
	}
}

func TestGOSTKeyWithoutItsPublicKeySignsNothing(t *testing.T) {
	for _, kind := range []string{"gost256", "gost512"} {
		m, library := newCard(t, "key "+kind, "nopublic 1", "nocertificate 1", "signature wrong")
		s := enter(t, m, nil)
		keys, err := s.Keys(t.Context())
		require.NoError(t, err)
		require.Len(t, keys, 1)
		hash := tokens.HashOf(keys[0].Algorithm)
		signature, err := s.Sign(t.Context(), keys[0].ID, tokens.Algorithm{Scheme: tokens.GOST, Hash: hash}, digestOf(hash, "x"))
		require.ErrorIs(t, err, tokens.ErrUnsupported, "%s", kind)
		require.Nil(t, signature)
		require.Zero(t, testmodule.Calls(t, library, "C_SignInit"))
	}
}

func TestGOSTKeyThatAlwaysAuthenticates(t *testing.T) {
	m, library := newCard(t, "always 1", "key gost256")
	s := enter(t, m, func(context.Context) (*tokens.PIN, error) { return pin("1234"), nil })
	signature, err := s.Sign(t.Context(), "01", streebog, digestOf(tokens.Streebog256, "x"))
	require.NoError(t, err)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	holdsGOST(t, keys[0].Public, tokens.Streebog256, []byte("x"), signature)
	require.Equal(t, 1, testmodule.Calls(t, library, "C_Login(CKU_CONTEXT_SPECIFIC)"))
}
