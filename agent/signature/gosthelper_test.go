package signature_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TestMain gives every openssl that a test runs its GOST engine.
func TestMain(m *testing.M) {
	if err := os.Setenv("OPENSSL_CONF", must(filepath.Abs("../../testdata/gost-engine.cnf"))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// gostSigners gives a key on every curve under each of its names, certified by the intermediate authority.
var gostSigners = sync.OnceValue(func() (list []*signer) {
	for i, set := range gost.ParameterSets() {
		key := must(gost.GenerateKey(set))
		mid := authority()[1]
		t := template("Иванов Иван Иванович", int64(100+i))
		t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		s := &signer{key: key}
		s.chain = append([][]byte{certify(s, t, mid)}, mid.chain...)
		list = append(list, s)
	}
	return list
})

func (s *signer) set() *gost.ParameterSet { return s.key.Public().(*gost.PublicKey).Set() }

// gost is the key as signatures are made with it.
func (s *signer) gost() signature.Key {
	alg := s.algorithm()
	return signature.Key{Chain: s.chain, Algorithm: alg, Sign: s.sign(alg)}
}

func (s *signer) algorithm() tokens.Algorithm {
	if _, ok := s.key.(*gost.PrivateKey); !ok {
		return tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA384}
	}
	return tokens.Algorithm{Scheme: tokens.GOST, Hash: map[int]tokens.Hash{32: tokens.Streebog256, 64: tokens.Streebog512}[s.set().Size()]}
}

// certify makes a certificate that crypto/x509 cannot make: for a GOST key, or by one. The library makes it for and by another key; key and
// algorithm are replaced in it.
func certify(s *signer, t *x509.Certificate, by *signer) []byte {
	parent := t
	if by != s {
		parent = must(x509.ParseCertificate(by.chain[0]))
	}
	mid := authority()[1]
	made := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, parent, mid.key.Public(), mid.key))))
	alg := by.algorithm()
	in := cryptobyte.String(made.RawTBSCertificate)
	var fields cryptobyte.String
	in.ReadASN1(&fields, cbasn1.SEQUENCE)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := 0; !fields.Empty(); i++ {
			var field cryptobyte.String
			var tag cbasn1.Tag
			fields.ReadAnyASN1Element(&field, &tag)
			switch i {
			case 2:
				field = must(signature.AlgorithmIdentifier(alg))
			case 6:
				field = s.public()
			}
			b.AddBytes(field)
		}
	})
	return must(signature.Signed(context.Background(), by.public(), alg, by.sign(alg), b.BytesOrPanic()))
}

// gostAuthority signs itself with a key on the given set.
func gostAuthority(set *gost.ParameterSet) *signer {
	s := &signer{key: must(gost.GenerateKey(set))}
	t := template(fmt.Sprint("Authority ", set.Name()), 1)
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	s.chain = [][]byte{certify(s, t, s)}
	return s
}
