package status

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The rules that path holds give what x509.Verify says of the same chains, whose keys it knows.
func TestPathAgreesWithTheLibrary(t *testing.T) {
	now := time.Now()
	odd := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	limits := pkix.Extension{Id: oidNameConstraints, Critical: true, Value: []byte{0x30, 0x0b, 0xa0, 0x09, 0x30, 0x07, 0x82, 0x05, 'a', '.', 'o', 'r', 'g'}}
	for name, c := range map[string]struct {
		change func(list []*x509.Certificate) // templates: leaf, two authorities, anchor
		why    string
	}{
		"as it should be":                 {func([]*x509.Certificate) {}, ""},
		"leaf expired":                    {func(l []*x509.Certificate) { l[0].NotAfter = now.Add(-time.Minute) }, "out of date"},
		"authority expired":               {func(l []*x509.Certificate) { l[1].NotAfter = now.Add(-time.Minute) }, "out of date"},
		"authority not yet valid":         {func(l []*x509.Certificate) { l[2].NotBefore = now.Add(time.Minute) }, "out of date"},
		"anchor expired":                  {func(l []*x509.Certificate) { l[3].NotAfter = now.Add(-time.Minute) }, "out of date"},
		"path as long as allowed":         {func(l []*x509.Certificate) { l[3].MaxPathLen = 2 }, ""},
		"path longer than allowed":        {func(l []*x509.Certificate) { l[3].MaxPathLen = 1 }, "too many"},
		"none allowed, none there":        {func(l []*x509.Certificate) { l[1].MaxPathLen, l[1].MaxPathLenZero = 0, true }, ""},
		"none allowed, one there":         {func(l []*x509.Certificate) { l[2].MaxPathLen, l[2].MaxPathLenZero = 0, true }, "too many"},
		"authority's critical extension":  {func(l []*x509.Certificate) { l[1].ExtraExtensions = []pkix.Extension{odd} }, "not understood"},
		"anchor's critical extension":     {func(l []*x509.Certificate) { l[3].ExtraExtensions = []pkix.Extension{odd} }, "not understood"},
		"leaf outside of the names given": {func(l []*x509.Certificate) { l[2].ExtraExtensions = []pkix.Extension{limits} }, "limits names"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			var list []*x509.Certificate
			for i, who := range []string{"person", "second", "first", "anchor"} {
				tpl := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: who}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), MaxPathLen: -1}
				if tpl.IsCA, tpl.BasicConstraintsValid = i > 0, true; i == 0 {
					tpl.DNSNames = []string{"b.org"}
				}
				list = append(list, tpl)
			}
			c.change(list)
			opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
			var chain []*x509.Certificate
			for i, tpl := range list {
				parent := list[min(i+1, len(list)-1)]
				der, err := x509.CreateCertificate(rand.Reader, tpl, parent, key.Public(), key)
				require.NoError(t, err)
				cert, err := x509.ParseCertificate(der)
				require.NoError(t, err)
				chain = append(chain, cert)
				opts.Intermediates.AddCert(cert)
			}
			opts.Roots.AddCert(chain[3])
			_, library := chain[0].Verify(opts)
			ours := path(chain, now)
			if c.why == "" {
				require.NoError(t, library)
				require.NoError(t, ours)
				return
			}
			require.Error(t, library)
			require.ErrorContains(t, ours, c.why)
		})
	}
}
