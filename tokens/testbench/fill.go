//go:build linux

package testbench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11"
)

// Fill puts n P-256 key pairs with a certificate each on a carrier's token.
func Fill(t T, c Carrier, n int) {
	t.Helper()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	ctx := context.Background()
	m := p11.New(p11.Config{Name: c.Name, Path: c.Path, Parameters: c.Parameters})
	defer m.Close()
	list, err := m.Tokens(ctx)
	must("list tokens", err)
	i := slices.IndexFunc(list, func(t tokens.Token) bool { return t.Label == c.Label })
	if i < 0 {
		t.Fatalf("no token %q", c.Label)
	}
	pin := tokens.NewPIN([]byte(PIN))
	defer pin.Wipe()
	session, err := m.Login(ctx, list[i].ID, pin, nil)
	must("log in", err)
	defer session.Close()
	for i := range n {
		key, err := session.Generate(ctx, tokens.KeySpec{ID: tokens.KeyID(fmt.Sprintf("%08x", i+1)), Algorithm: tokens.ECP256, Label: "key"})
		must("make a key", err)
		must("write its certificate", session.Install(ctx, key.ID, [][]byte{Issue(t, key.Public)}))
	}
}

// Issue makes a certificate for an RSA or EC public key (SubjectPublicKeyInfo, DER) by an authority that nobody knows.
func Issue(t T, spki []byte) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	from := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	holder := *from
	holder.SerialNumber, holder.Subject, holder.KeyUsage = serial, pkix.Name{CommonName: "Ivanov Ivan"}, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment
	der, err := x509.CreateCertificate(rand.Reader, &holder, from, public, authority)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
