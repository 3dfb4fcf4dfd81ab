package signature_test

import (
	"context"
	"crypto/sha1" // #nosec: openssl names certificates by it, and nothing is signed over it
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"github.com/stretchr/testify/require"
)

// Certificates, lists and answers by a key on each set: openssl finds them good, and no longer when a bit is changed.
func TestOpenSSLVerifiesListsAndAnswersOfEverySet(t *testing.T) {
	for _, set := range gost.ParameterSets() {
		t.Run(set.Name(), func(t *testing.T) {
			dir := t.TempDir()
			by := gostAuthority(set)
			authority := must(x509.ParseCertificate(by.chain[0]))
			person := template("Person", 77)
			person.KeyUsage = x509.KeyUsageDigitalSignature
			leaf := must(x509.ParseCertificate(certify(&signer{key: must(gost.GenerateKey(set))}, person, by)))
			anchor, cert := file(t, dir, "anchor.pem", pemOf("CERTIFICATE", authority.Raw)), file(t, dir, "leaf.pem", pemOf("CERTIFICATE", leaf.Raw))
			require.Contains(t, run(t, "openssl", "verify", "-check_ss_sig", "-CAfile", anchor, cert), "OK")

			list := signedBy(by, listOf(authority, leaf, by.algorithm()))
			crl := func(der []byte) string {
				return run(t, "openssl", "crl", "-inform", "DER", "-in", file(t, dir, "list.crl", der), "-CAfile", anchor, "-out", dir+"/list.pem")
			}
			require.Contains(t, crl(list), "verify OK")
			out, err := program(t, "openssl", "verify", "-crl_check", "-CRLfile", dir+"/list.pem", "-CAfile", anchor, cert)
			require.Error(t, err)
			require.Contains(t, out, "certificate revoked")
			list[len(list)-1] ^= 1
			require.Contains(t, crl(list), "verify failure")

			answer := signedBy(by, answerOf(authority, leaf))
			ask := func(basic []byte) string {
				out, _ := program(t, "openssl", "ocsp", "-respin", file(t, dir, "answer", answered(basic)), "-issuer", anchor, "-cert", cert, "-CAfile", anchor, "-no_nonce")
				return out
			}
			require.Regexp(t, `(?s)Response verify OK.*leaf.pem: good`, ask(answer))
			answer[len(answer)-1] ^= 1
			require.Contains(t, ask(answer), "Response Verify Failure")
		})
	}
}

func signedBy(s *signer, tbs []byte) []byte {
	return must(signature.Signed(context.Background(), s.public(), s.algorithm(), s.sign(s.algorithm()), tbs))
}

// listOf is a TBSCertList (RFC 5280 section 5.1) that has leaf revoked.
func listOf(issuer, leaf *x509.Certificate, alg tokens.Algorithm) []byte {
	now := time.Now().UTC().Truncate(time.Second)
	type entry struct {
		Serial *big.Int
		At     time.Time
	}
	return must(asn1.Marshal(struct {
		Version    int
		Algorithm  asn1.RawValue
		Issuer     asn1.RawValue
		This, Next time.Time
		Entries    []entry
	}{1, raw(must(signature.AlgorithmIdentifier(alg))), raw(issuer.RawSubject), now, now.Add(time.Hour), []entry{{leaf.SerialNumber, now}}}))
}

// answerOf is a ResponseData (RFC 6960 section 4.2.1) that finds leaf good.
func answerOf(issuer, leaf *x509.Certificate) []byte {
	var key struct {
		Algorithm asn1.RawValue
		Bits      asn1.BitString
	}
	must(asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &key))
	type hashed struct{ OID asn1.ObjectIdentifier }
	type id struct {
		Hash      hashed
		Name, Key []byte
		Serial    *big.Int
	}
	type one struct {
		ID   id
		Good asn1.Flag `asn1:"tag:0"`
		This time.Time `asn1:"generalized"`
		Next time.Time `asn1:"generalized,explicit,tag:0"`
	}
	name, bits := sha1.Sum(issuer.RawSubject), sha1.Sum(key.Bits.Bytes)
	now := time.Now().UTC().Truncate(time.Second)
	return must(asn1.Marshal(struct {
		Responder asn1.RawValue
		At        time.Time `asn1:"generalized"`
		Answers   []one
	}{asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: issuer.RawSubject}, now,
		[]one{{id{hashed{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}}, name[:], bits[:], leaf.SerialNumber}, true, now, now.Add(time.Hour)}}}))
}

// answered puts a BasicOCSPResponse into an OCSPResponse.
func answered(basic []byte) []byte {
	type inside struct {
		Type  asn1.ObjectIdentifier
		Basic []byte
	}
	return must(asn1.Marshal(struct {
		Status asn1.Enumerated
		Inside inside `asn1:"explicit,tag:0"`
	}{0, inside{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, basic}}))
}

func raw(der []byte) asn1.RawValue { return asn1.RawValue{FullBytes: der} }
