package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

func TestReissue(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	old := v.issue()
	serial := ca.Serial(old.cert.SerialNumber)
	var a, same application
	v.ok("POST", "/api/renewals", map[string]string{"certificate": serial}, &a)
	v.ok("POST", "/api/renewals", map[string]string{"certificate": serial}, &same)
	require.Equal(t, a.RequestID, same.RequestID, "pressing twice is one re-issue")
	path := "/api/applications/" + a.ID + "/certificate"

	fresh := newKey(t)
	csr := csrFor(t, fresh, a.Subject)
	other := csrFor(t, newKey(t), a.Subject)
	stranger := p.citizen(2).issue()
	for name, cms := range map[string][]byte{
		"no signature": nil, "not a CMS": []byte("letter"), "over another request": old.renewal(t, other), "by another person": stranger.renewal(t, csr),
		"signed as a document": old.attached(t, csr),
		"by the new key":       holder{key: fresh, cert: selfSigned(t, fresh)}.renewal(t, csr),
	} {
		v.refused("POST", path, map[string]any{"csr": csr, "signedRequest": cms}, 422, renewalUnsigned)
		_ = name
	}
	var answer issueAnswer
	v.ok("POST", path, map[string]any{"csr": csr, "signedRequest": old.renewal(t, csr)}, &answer)
	cert, err := x509.ParseCertificate(answer.Certificates[0])
	require.NoError(t, err)
	require.Equal(t, old.cert.RawSubject, cert.RawSubject)
	require.NotEqual(t, old.cert.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
	v.ok("POST", "/api/applications/"+a.ID+"/installed", nil, nil)
	var list []certificate
	v.ok("GET", "/api/certificates", nil, &list)
	require.Len(t, list, 2)
	require.Equal(t, "valid", list[1].Status, "the old one stays")

	p.citizen(2).refused("POST", "/api/renewals", map[string]string{"certificate": serial}, 403, renewalOther)
	p.desk().ok("POST", "/api/desk/certificates/"+serial+"/revoke", map[string]string{"reason": "superseded"}, nil)
	p.desk().refused("POST", "/api/desk/certificates/"+serial+"/revoke", map[string]string{"reason": "superseded"}, 409, alreadyRevoked)
	p.desk().refused("POST", "/api/desk/certificates/"+serial+"/revoke", map[string]string{"reason": "dislike"}, 422, reasonMissing)
	p.desk().refused("POST", "/api/desk/certificates/00/revoke", map[string]string{"reason": "superseded"}, 404, notFound)
	v.refused("POST", "/api/renewals", map[string]string{"certificate": serial}, 409, renewalRevoked)
}

func TestRevokedBetweenBeginAndRequest(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	old := v.issue()
	serial := ca.Serial(old.cert.SerialNumber)
	var a application
	v.ok("POST", "/api/renewals", map[string]string{"certificate": serial}, &a)
	p.desk().ok("POST", "/api/desk/certificates/"+serial+"/revoke", map[string]string{"reason": "keyCompromise"}, nil)
	csr := csrFor(t, newKey(t), a.Subject)
	v.refused("POST", "/api/applications/"+a.ID+"/certificate", map[string]any{"csr": csr, "signedRequest": old.renewal(t, csr)}, 409, renewalRevoked)
}

func TestExpiredCertificate(t *testing.T) {
	p := start(t, func(c *config) { c.Life = time.Nanosecond })
	v := p.citizen(1)
	old := v.issue()
	v.refused("POST", "/api/renewals", map[string]string{"certificate": ca.Serial(old.cert.SerialNumber)}, 409, renewalEnded)
	var report signatureReport
	v.ok("POST", "/api/signatures?name=late.txt", old.attached(t, []byte("late")), &report)
	require.False(t, report.Valid)
	require.Equal(t, "expired", report.Signers[0].Status)
}

func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Nobody"}, NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// verify: what the portal calls good, openssl does too.
func (p portal) verify(cms, content []byte) {
	p.t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		p.t.Fatal("openssl is not installed: run make deps")
	}
	dir := p.t.TempDir()
	for name, data := range map[string][]byte{"a.p7s": cms, "a.txt": content} {
		require.NoError(p.t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	engine, err := filepath.Abs("../testdata/gost-engine.cnf")
	require.NoError(p.t, err)
	cmd := exec.Command("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "a.p7s", "-content", "a.txt", "-CAfile", filepath.Join(p.state, "ca", "root.pem"), "-out", "/dev/null")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "OPENSSL_CONF="+engine)
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, string(out))
}

// disposition is how the portal names the file of a signature.
func (v visitor) disposition(r signatureReport) string {
	v.t.Helper()
	resp, err := v.client.Get(v.base + "/api/signatures/" + r.ID + "/file")
	require.NoError(v.t, err)
	defer resp.Body.Close()
	return resp.Header.Get("Content-Disposition")
}

func TestSignatures(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	h := v.issue()
	text := []byte("I agree.\n")
	var d document
	v.ok("POST", "/api/documents?name=consent.txt", text, &d)
	require.Equal(t, int64(len(text)), d.Size)
	cms := h.sign(t, text, false, "")

	var report signatureReport
	v.ok("POST", "/api/signatures?document="+d.ID, cms, &report)
	require.True(t, report.Valid)
	require.False(t, report.Attached)
	require.Equal(t, "consent.txt", report.Name)
	s := report.Signers[0]
	require.Equal(t, "Иванова Анна Петровна", s.Name)
	require.Equal(t, "valid", s.Status)
	require.Equal(t, "B", s.Level)
	require.True(t, s.Own)
	require.WithinDuration(t, time.Now(), *s.SigningTime, time.Minute)
	status, file := v.send("GET", "/api/signatures/"+report.ID+"/file", nil)
	require.Equal(t, 200, status)
	require.Equal(t, cms, file)

	p.verify(file, text)

	require.Equal(t, `attachment; filename=consent.txt.p7s`, v.disposition(report))
	v.ok("POST", "/api/signatures?name=inside.txt", h.attached(t, text), &report)
	require.True(t, report.Valid && report.Attached)
	require.Equal(t, `attachment; filename=inside.txt.p7m`, v.disposition(report))

	var changed document
	v.ok("POST", "/api/documents?name=changed.txt", append([]byte("Not "), text...), &changed)
	v.ok("POST", "/api/signatures?document="+changed.ID, cms, &report)
	require.False(t, report.Valid)
	require.Equal(t, "digest", report.Signers[0].Problem)

	bent := bytes.Clone(cms)
	bent[len(bent)-3] ^= 1
	v.ok("POST", "/api/signatures?document="+d.ID, bent, &report)
	require.False(t, report.Valid)

	other := newKey(t)
	report = signatureReport{}
	v.ok("POST", "/api/signatures?document="+d.ID, holder{key: other, cert: selfSigned(t, other)}.sign(t, text, false, ""), &report)
	require.False(t, report.Valid)
	require.Equal(t, "untrusted", report.Signers[0].Status)

	v.refused("POST", "/api/signatures?document="+d.ID, []byte("no CMS"), 422, signatureBad)
	v.refused("POST", "/api/signatures?name=x", cms, 422, signatureBad) // detached, and no document
	p.citizen(2).refused("POST", "/api/signatures?document="+d.ID, cms, 404, notFound)
	status, _ = p.citizen(2).send("GET", "/api/signatures/"+report.ID+"/file", nil)
	require.Equal(t, 404, status)

	p.desk().ok("POST", "/api/desk/certificates/"+ca.Serial(h.cert.SerialNumber)+"/revoke", map[string]string{"reason": "keyCompromise"}, nil)
	report = signatureReport{}
	v.ok("POST", "/api/signatures?document="+d.ID, cms, &report)
	require.False(t, report.Valid)
	require.Equal(t, "revoked", report.Signers[0].Status)
	require.Equal(t, "keyCompromise", report.Signers[0].Reason)
	var journal []signatureReport
	v.ok("GET", "/api/signatures", nil, &journal)
	require.Len(t, journal, 6)
	left, err := filepath.Glob(filepath.Join(p.state, "signatures", ".new-*"))
	require.NoError(t, err)
	require.Empty(t, left, "what was refused leaves no file")
}

// A GOST person of either size, at an authority of any kind: issue, signatures detached and attached, re-issue onto another kind of key.
func TestGOST(t *testing.T) {
	for name, set := range map[string]*gost.ParameterSet{"256": gost.CryptoProA(), "512": gost.TC26A512()} {
		for _, authority := range []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512, tokens.ECP256} {
			t.Run(name+" at "+string(authority), func(t *testing.T) {
				p := start(t, func(c *config) { c.Algorithm = authority })
				v := p.citizen(1)
				key, err := gost.GenerateKey(set)
				require.NoError(t, err)
				h := v.issueFor(key)
				var list []certificate
				v.ok("GET", "/api/certificates", nil, &list)
				require.Equal(t, "gost2012-"+name, list[0].KeyAlgorithm)

				text := []byte("Согласен.\n")
				var d document
				v.ok("POST", "/api/documents?name=consent.txt", text, &d)
				cms := h.sign(t, text, false, "")
				var report signatureReport
				v.ok("POST", "/api/signatures?document="+d.ID, cms, &report)
				require.True(t, report.Valid, report)
				require.Equal(t, "GOST R 34.10-2012, Streebog-"+name, report.Signers[0].Algorithm)
				p.verify(cms, text)
				v.ok("POST", "/api/signatures?name=inside.txt", h.attached(t, text), &report)
				require.True(t, report.Valid && report.Attached)
				v.ok("POST", "/api/documents?name=changed.txt", append([]byte("Не "), text...), &d)
				v.ok("POST", "/api/signatures?document="+d.ID, cms, &report)
				require.Equal(t, "digest", report.Signers[0].Problem)
				bent := bytes.Clone(cms)
				bent[len(bent)-3] ^= 1
				v.ok("POST", "/api/signatures?document="+d.ID, bent, &report)
				require.False(t, report.Valid)

				var a application
				v.ok("POST", "/api/renewals", map[string]string{"certificate": ca.Serial(h.cert.SerialNumber)}, &a)
				fresh := newKey(t)
				csr := csrFor(t, fresh, a.Subject)
				path := "/api/applications/" + a.ID + "/certificate"
				forged := h.renewal(t, csr)
				forged[len(forged)-1] ^= 1
				v.refused("POST", path, map[string]any{"csr": csr, "signedRequest": forged}, 422, renewalUnsigned)
				v.ok("POST", path, map[string]any{"csr": csr, "signedRequest": h.renewal(t, csr)}, nil)
			})
		}
	}
}

// A database of before Streebog goes on, and says of its documents that a GOST signature over them cannot be judged.
func TestDocumentsOfAnOlderDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "portal.db")
	text, err := schema.ReadFile("schema/001.sql")
	require.NoError(t, err)
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	for _, statement := range []string{string(text), "PRAGMA user_version = 1", `INSERT INTO people (id, surname, given_name, patronymic, inn, snils, phone, email, region, locality)
		VALUES (1, '', '', '', '', '', '', '', '', '')`, `INSERT INTO documents VALUES ('d', 1, 'old.txt', 3, x'01', x'02', x'03', 0)`} {
		_, err = db.Exec(statement)
		require.NoError(t, err, statement)
	}
	require.NoError(t, db.Close())
	s, err := openStore(t.Context(), path)
	require.NoError(t, err)
	defer s.db.Close()
	d, err := s.document(t.Context(), "d", 1)
	require.NoError(t, err)
	sum, err := d.digest(tokens.SHA384)
	require.NoError(t, err)
	require.Equal(t, []byte{2}, sum)
	_, err = d.digest(tokens.Streebog256)
	require.ErrorContains(t, err, "streebog256")
}

// pattern is a document that needs no memory.
type pattern struct{}

func (pattern) Read(b []byte) (int, error) { return len(b), nil }

func TestLargeDocumentNeedsNoMemory(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	const size = 256 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var d document
	v.ok("POST", "/api/documents?name=large.bin", io.LimitReader(pattern{}, size), &d)
	runtime.ReadMemStats(&after)
	require.Equal(t, int64(size), d.Size)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}
