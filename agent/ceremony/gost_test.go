package ceremony

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

// bureau is an authority with GOST keys that is openssl with gost-engine, and judges what comes of its certificates.
type bureau struct {
	*house
	dir string
	alg gostKind
}

// gostKind is a kind of key in the protocol's words and in openssl's.
type gostKind struct {
	key                       tokens.KeyAlgorithm
	algorithm, option, digest string
	hash                      tokens.Hash
}

var gostKinds = []gostKind{
	{tokens.GOST2012256, "gost2012_256", "paramset:A", "md_gost12_256", tokens.Streebog256},
	{tokens.GOST2012512, "gost2012_512", "paramset:A", "md_gost12_512", tokens.Streebog512},
}

// newBureau lets every openssl of the test know GOST.
func newBureau(t *testing.T, h *house, kind gostKind) *bureau {
	t.Helper()
	b := &bureau{h, t.TempDir(), kind}
	engine, err := filepath.Abs("../../testdata/gost-engine.cnf")
	require.NoError(t, err)
	t.Setenv("OPENSSL_CONF", engine)
	b.write("root.cnf", []byte("[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n[ext]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n"))
	openssl(t, "genpkey", "-algorithm", kind.algorithm, "-pkeyopt", kind.option, "-out", b.at("root.key"))
	openssl(t, "req", "-x509", "-new", "-config", b.at("root.cnf"), "-key", b.at("root.key"), "-subj", "/CN=GOST root", "-days", "1000", "-out", b.at("root.pem"))
	return b
}

func (b *bureau) at(name string) string { return filepath.Join(b.dir, name) }

func (b *bureau) write(name string, octets []byte) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.at(name), octets, 0o600))
}

func (b *bureau) root() []byte {
	octets, err := os.ReadFile(b.at("root.pem"))
	require.NoError(b.t, err)
	block, _ := pem.Decode(octets)
	return block.Bytes
}

// issue certifies a request that openssl finds good, with extensions in openssl's words.
func (b *bureau) issue(csr []byte, extensions ...string) [][]byte {
	b.t.Helper()
	openssl(b.t, "req", "-verify", "-noout", "-in", requestPEM(b.t, csr))
	b.write("ext.cnf", []byte("keyUsage = critical,digitalSignature,nonRepudiation\n"+strings.Join(extensions, "\n")+"\n"))
	der := openssl(b.t, "x509", "-req", "-in", requestPEM(b.t, csr), "-CA", b.at("root.pem"), "-CAkey", b.at("root.key"), "-CAcreateserial", "-days", "30",
		"-extfile", b.at("ext.cnf"), "-outform", "DER")
	return [][]byte{der, b.root()}
}

func (b *bureau) enroll(token, request string, extensions ...string) api.Certificate {
	b.t.Helper()
	e, err := b.BeginEnrollment(b.t.Context(), page, enrollParams(token, string(b.alg.key), request))
	require.NoError(b.t, err)
	done, err := b.CompleteEnrollment(b.t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: b.issue(e.CSR, extensions...)})
	require.NoError(b.t, err)
	require.Equal(b.t, string(b.alg.key), done.Certificate.KeyAlgorithm)
	return done.Certificate
}

// judge gives the document of a signature that openssl finds good; document is nil for an attached one.
func (b *bureau) judge(sig, document []byte) []byte {
	b.t.Helper()
	args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", keep(b.t, sig), "-CAfile", b.at("root.pem"), "-purpose", "any"}
	if document != nil {
		args = append(args, "-content", keep(b.t, document))
	}
	return openssl(b.t, args...)
}

// judgeRaw lets openssl hold a raw signature over a message against a certificate.
func (b *bureau) judgeRaw(certificate, sig, message []byte) {
	b.t.Helper()
	public := openssl(b.t, "x509", "-inform", "DER", "-in", keep(b.t, certificate), "-noout", "-pubkey")
	openssl(b.t, "dgst", "-"+b.alg.digest, "-verify", keep(b.t, public), "-signature", keep(b.t, sig), keep(b.t, message))
}

func (b *bureau) sum(octets []byte) []byte {
	return openssl(b.t, "dgst", "-"+b.alg.digest, "-binary", keep(b.t, octets))
}

// The whole life of a GOST key in a file, with openssl and its engine as authority and judge.
func TestGOSTKeyForLife(t *testing.T) {
	for _, kind := range gostKinds {
		t.Run(string(kind.key), func(t *testing.T) {
			h := newHouse(t, t.TempDir())
			b := newBureau(t, h, kind)
			old := b.enroll(h.freshToken(), "first")
			b.signs(old, "agent")
			b.refuses(old)
			b.authenticates(old)
			fresh := b.renews(old)
			b.signs(fresh, "agent")

			h.window.path = filepath.Join(t.TempDir(), "copy.p12")
			require.NoError(t, h.BackupCarrier(t.Context(), page, api.BackupParams{Token: old.Token}))
			require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "keys")))
			restored, err := h.RestoreCarrier(t.Context(), page)
			require.NoError(t, err)
			require.Equal(t, "ready", restored.Token.State)
			for _, c := range []api.Certificate{old, fresh} {
				r, err := h.Sign(t.Context(), page, api.SignParams{Certificate: c.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
				require.NoError(t, err)
				b.judge(r.Results[0].Signature, []byte("text"))
			}
			usable := true
			list, err := h.Certificates(t.Context(), page, api.CertificatesParams{Usable: &usable, KeyAlgorithms: []string{string(kind.key)}})
			require.NoError(t, err)
			require.Len(t, list.Certificates, 2)
			list, err = h.Certificates(t.Context(), page, api.CertificatesParams{KeyAlgorithms: []string{"ec-p256"}})
			require.NoError(t, err)
			require.Empty(t, list.Certificates)
		})
	}
}

// signs goes through all the ways that a document comes and a signature goes.
func (b *bureau) signs(certificate api.Certificate, hashedBy string) {
	t, h := b.t, b.house
	t.Helper()
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	kept, digested := h.send(content, "", ""), h.send(content, "detached", string(b.alg.hash))
	given := &api.Digest{Algorithm: string(b.alg.hash), Value: b.sum([]byte("a document"))}
	windows := h.window.count()
	r, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{
		inline("inline", "text"), inline("empty", ""), {ID: "kept", Name: "kept", Upload: &kept}, {ID: "digested", Name: "digested", Upload: &digested},
		{ID: "unseen", Name: "unseen", Digest: given},
	}})
	require.NoError(t, err)
	require.Equal(t, windows+1, h.window.count())
	require.Equal(t, b.alg.hash, h.window.last().Documents[4].Hash, "the window calls the digest by its name")
	for i, document := range [][]byte{[]byte("text"), {}, content, content, []byte("a document")} {
		require.Nil(t, r.Results[i].Error)
		require.Equal(t, hashedBy, r.Results[i].HashedBy)
		b.judge(r.Results[i].Signature, document)
	}
	decisions := h.decisions()
	require.Equal(t, hashedBy, decisions[len(decisions)-1].HashedBy)

	kept = h.send(content, "attached", string(b.alg.hash))
	r, err = h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Packaging: "attached", Documents: []api.Document{
		inline("1", "attached text"), {ID: "2", Name: "2", Upload: &kept},
	}})
	require.NoError(t, err)
	require.Equal(t, "attached text", string(b.judge(r.Results[0].Signature, nil)))
	var large bytes.Buffer
	require.NoError(t, h.FetchDocument(t.Context(), page, api.FetchDocumentParams{Download: r.Results[1].Download.Number}, &large))
	require.True(t, bytes.Equal(content, b.judge(large.Bytes(), nil)))

	// Verification here: what was made here, and over a document that comes as an upload.
	kept = h.send([]byte("attached text"), "", "")
	for _, p := range []api.VerifyParams{{}, {DocumentUpload: &kept}} {
		p.Signature, p.Format = r.Results[0].Signature, "cades"
		report, err := h.Verify(t.Context(), page, p)
		require.NoError(t, err)
		require.True(t, report.Valid)
		require.Equal(t, string(b.alg.hash), report.Signers[0].Digest)
		require.Equal(t, certificate.ID, report.Signers[0].Certificate.ID)
	}
	kept = h.send([]byte("another text"), "", "")
	report, err := h.Verify(t.Context(), page, api.VerifyParams{Signature: r.Results[0].Signature, Format: "cades", DocumentUpload: &kept})
	require.NoError(t, err)
	require.False(t, report.Valid)
	require.Equal(t, "digest_mismatch", report.Signers[0].Problem)

	r, err = h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{inline("raw", "raw text")}})
	require.NoError(t, err)
	require.Len(t, r.Results[0].Signature, 2*b.alg.hash.Size())
	require.Equal(t, "agent", r.Results[0].HashedBy)
	b.judgeRaw(certificate.DER, r.Results[0].Signature, []byte("raw text"))
}

// refuses holds that a GOST key signs its own digest only, and that nobody is asked before that is clear.
func (b *bureau) refuses(certificate api.Certificate) {
	t, h := b.t, b.house
	t.Helper()
	other := map[tokens.Hash]tokens.Hash{tokens.Streebog256: tokens.Streebog512, tokens.Streebog512: tokens.Streebog256}[b.alg.hash]
	unnamed := h.send([]byte("text"), "detached", "")
	digest := func(name tokens.Hash) []api.Document {
		return []api.Document{{ID: "1", Name: "1", Digest: &api.Digest{Algorithm: string(name), Value: make([]byte, name.Size())}}}
	}
	before := h.window.count()
	for name, c := range map[string]struct {
		reason api.Reason
		member string
		p      api.SignParams
	}{
		"sha256":            {api.AlgorithmUnsupported, "digest", api.SignParams{Digest: "sha256"}},
		"the other size":    {api.AlgorithmUnsupported, "digest", api.SignParams{Digest: string(other)}},
		"a digest by sha":   {api.AlgorithmUnsupported, "documents[0].digest.algorithm", api.SignParams{Documents: digest(tokens.SHA256)}},
		"of the other size": {api.AlgorithmUnsupported, "documents[0].digest.algorithm", api.SignParams{Documents: digest(other)}},
		"a padding":         {api.BadRequest, "padding", api.SignParams{Padding: "pkcs1"}},
		"only sha256 known": {api.DigestMismatch, "", api.SignParams{Documents: []api.Document{{ID: "1", Name: "1", Upload: &unnamed}}}},
	} {
		c.p.Certificate, c.p.Format = certificate.ID, "cades"
		if c.p.Documents == nil {
			c.p.Documents = []api.Document{inline("1", "text")}
		}
		_, err := h.Sign(t.Context(), page, c.p)
		refused(t, c.reason, err)
		require.Equal(t, c.member, err.(*api.Error).Member, name)
	}
	require.Equal(t, before, h.window.count())
}

func (b *bureau) authenticates(certificate api.Certificate) {
	t := b.t
	t.Helper()
	challenge := bytes.Repeat([]byte{7}, 32)
	r, err := b.Authenticate(t.Context(), page, api.AuthenticateParams{Certificate: certificate.ID, Challenge: challenge})
	require.NoError(t, err)
	var token authToken
	require.NoError(t, json.Unmarshal(r.Token, &token))
	require.Equal(t, "gost2012-"+string(b.alg.hash), token.Algorithm)
	b.judgeRaw(token.Certificate, token.Signature, slices.Concat([]byte("pero-auth:1\n"), b.sum([]byte(portal)), b.sum(challenge)))
}

// renews gives the certificate that took the old one's place.
func (b *bureau) renews(old api.Certificate) api.Certificate {
	t := b.t
	t.Helper()
	r, err := b.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: old.ID, RequestID: "renewal"})
	require.NoError(t, err)
	require.Equal(t, b.alg.key, b.window.last().Key)
	require.Equal(t, r.CSR, b.judge(r.SignedRequest, nil), "the old key signs the request")
	done, err := b.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: r.Enrollment, Certificates: b.issue(r.CSR)})
	require.NoError(t, err)
	require.NotEqual(t, old.ID, done.Certificate.ID)
	require.Equal(t, old.Subject, done.Certificate.Subject)
	return done.Certificate
}

// A key may sign for a shorter time than its certificate is in force; what it signed goes on to verify.
func TestKeyPastItsOwnTerm(t *testing.T) {
	h := newHouse(t, t.TempDir())
	b := newBureau(t, h, gostKinds[0])
	generalized := func(tag byte, at time.Time) string {
		text := at.UTC().Format("20060102150405Z")
		return fmt.Sprintf("%02x%02x%x", tag, len(text), text)
	}
	period := generalized(0x80, time.Now().Add(-time.Hour)) + generalized(0x81, time.Now().Add(24*time.Hour))
	certificate := b.enroll(h.freshToken(), "first", fmt.Sprintf("2.5.29.16 = DER:30%02x%s", len(period)/2, period))
	p := api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}}
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)

	before := h.window.count()
	for _, skip := range []time.Duration{-2 * time.Hour, 25 * time.Hour} {
		h.skip = skip
		_, err = h.Sign(t.Context(), page, p)
		if skip > 0 {
			refused(t, api.KeyExpired, err)
		} else {
			refused(t, api.CertificateExpired, err)
		}
		_, err = h.Authenticate(t.Context(), page, api.AuthenticateParams{Certificate: certificate.ID, Challenge: make([]byte, 32)})
		require.Error(t, err)
		_, err = h.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: certificate.ID, RequestID: "late"})
		require.Error(t, err)
	}
	require.Equal(t, before, h.window.count())
	usable := true
	list, err := h.Certificates(t.Context(), page, api.CertificatesParams{Usable: &usable})
	require.NoError(t, err)
	require.Empty(t, list.Certificates)
	report, err := h.Verify(t.Context(), page, api.VerifyParams{Signature: r.Results[0].Signature, Document: []byte("text"), Format: "cades"})
	require.NoError(t, err)
	require.True(t, report.Valid)
}

// An authority may write the same key with another name of its curve: the certificate is still of the key that waits for it.
func TestCertificateThatNamesTheCurveOtherwise(t *testing.T) {
	h := newHouse(t, t.TempDir())
	b := newBureau(t, h, gostKinds[0])
	e, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "gost2012-256", "r1"))
	require.NoError(t, err)
	// id-GostR3410-2001-CryptoPro-A-ParamSet and id-GostR3410-2001-CryptoPro-XchA-ParamSet are one curve.
	plain, exchange := []byte{6, 7, 42, 133, 3, 2, 2, 35, 1}, []byte{6, 7, 42, 133, 3, 2, 2, 36, 0}
	public := openssl(t, "req", "-in", requestPEM(t, e.CSR), "-noout", "-pubkey")
	block, _ := pem.Decode(public)
	require.Equal(t, 1, bytes.Count(block.Bytes, plain))
	block.Bytes = bytes.Replace(block.Bytes, plain, exchange, 1)
	b.write("ext.cnf", []byte("keyUsage = digitalSignature\n"))
	der := openssl(t, "x509", "-req", "-in", requestPEM(t, e.CSR), "-force_pubkey", keep(t, pem.EncodeToMemory(block)), "-CA", b.at("root.pem"), "-CAkey", b.at("root.key"),
		"-CAcreateserial", "-days", "30", "-extfile", b.at("ext.cnf"), "-outform", "DER")
	require.True(t, bytes.Contains(der, exchange))
	done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: [][]byte{der, b.root()}})
	require.NoError(t, err)
	r, err := h.Sign(t.Context(), page, api.SignParams{Certificate: done.Certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
	require.NoError(t, err)
	b.judge(r.Results[0].Signature, []byte("text"))
}

// A key store that only CryptoPro CSP can open is told from a wrong PIN and from a token that is not there.
func TestForeignKeyStore(t *testing.T) {
	h := newHouse(t, t.TempDir())
	// PFX { data { data { shrouded key bag under 1.2.840.113549.1.12.1.80 } } }
	container, err := hex.DecodeString("3081d30201033081cd06092a864886f70d010701a081bf0481bc3081b93081b606092a864886f70d010701a081a80481a53081a2" +
		"30819f060b2a864886f70d010c0a0102a0818f30818c3024060a2a864886f70d010c01503016041000000000000000000000000000000000020207d00464" +
		strings.Repeat("00", 100))
	require.NoError(t, err)
	h.window.path = keep(t, container)
	_, err = h.RestoreCarrier(t.Context(), page)
	refused(t, api.ContainerForeign, err)

	require.NoError(t, os.MkdirAll(filepath.Join(h.dir, "keys"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "keys", "csp.p12"), container, 0o600))
	list, err := h.Tokens(t.Context(), page)
	require.NoError(t, err)
	at := slices.IndexFunc(list.Tokens, func(t api.Token) bool { return t.State == string(tokens.Unreadable) })
	require.GreaterOrEqual(t, at, 0)
	before := h.window.count()
	_, err = h.BeginEnrollment(t.Context(), page, enrollParams(list.Tokens[at].ID, "gost2012-256", "r1"))
	refused(t, api.ContainerForeign, err)
	refused(t, api.ContainerForeign, h.BackupCarrier(t.Context(), page, api.BackupParams{Token: list.Tokens[at].ID}))
	require.Equal(t, before, h.window.count())
	require.Contains(t, err.(*api.Error).Message, "CryptoPro CSP")
}
