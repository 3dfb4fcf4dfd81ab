package status

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens/tokentest/published"
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
		"no authority":                    {func(l []*x509.Certificate) { l[1].IsCA, l[1].BasicConstraintsValid = false, false }, "not one of an authority"},
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

// The ministry's head authority and the accredited ones: each certificate's issuer is found among them, and the rules hold.
func TestChainsOfRussianAuthorities(t *testing.T) {
	bundle, table := published.File(t, "russian-ca/ca-gost2012-part.pem"), published.File(t, "russian-ca/expected.tsv")
	var all [][]byte
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes)
	}
	var anchors, issuers [][]byte
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	require.Len(t, lines, len(all))
	for i := range lines {
		number := strconv.Itoa(i)
		if strings.Split(lines[i], "\t")[4] == number {
			anchors = append(anchors, all[i])
		}
		if slices.ContainsFunc(lines, func(line string) bool { return strings.Split(line, "\t")[4] == number }) {
			issuers = append(issuers, all[i])
		}
	}
	require.NotEmpty(t, anchors)
	k := New(Config{Anchors: anchors})
	ruled := 0
	for i, line := range lines {
		chain := k.Chain(all[i], issuers)
		issuer, err := strconv.Atoi(strings.Split(line, "\t")[4])
		require.NoError(t, err)
		if issuer == i {
			require.Len(t, chain, 1, "row %d", i)
			continue
		}
		require.Equal(t, all[issuer], chain[1], "row %d", i)
		var parsed []*x509.Certificate
		latest := time.Time{} // when all of the chain is good, if ever
		for _, der := range chain {
			c, err := x509.ParseCertificate(der)
			require.NoError(t, err)
			parsed = append(parsed, c)
			if c.NotBefore.After(latest) {
				latest = c.NotBefore
			}
		}
		require.NoError(t, k.trusted(parsed, latest.Add(time.Hour)), "row %d", i)
		require.ErrorContains(t, k.trusted(parsed, latest.AddDate(30, 0, 0)), "out of date")
		ruled++
	}
	t.Logf("%d anchors, %d chains", len(anchors), ruled)
}
