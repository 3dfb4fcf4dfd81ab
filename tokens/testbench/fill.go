//go:build linux

package testbench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"github.com/miekg/pkcs11"
)

// Fill puts n P-256 key pairs with a certificate each on a carrier's token, by the module itself.
func Fill(t T, c Carrier, n int) {
	t.Helper()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	p := pkcs11.New(c.Path)
	must("C_Initialize", p.Initialize())
	defer p.Finalize()
	h := session(t, p, c)
	must("C_Login", p.Login(h, pkcs11.CKU_USER, PIN))
	curve, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	must("curve", err)
	for i := range n {
		id := binary.BigEndian.AppendUint32(nil, uint32(i+1))
		public, _, err := p.GenerateKeyPair(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
			[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
				pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve)},
			[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, id), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true)})
		must("C_GenerateKeyPair", err)
		point, err := p.GetAttributeValue(h, public, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
		must("C_GetAttributeValue", err)
		var octets []byte
		_, err = asn1.Unmarshal(point[0].Value, &octets)
		must("CKA_EC_POINT", err)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), octets)
		must("CKA_EC_POINT", err)
		spki, err := x509.MarshalPKIXPublicKey(key)
		must("public key", err)
		der := Issue(t, spki)
		certificate, err := x509.ParseCertificate(der)
		must("certificate", err)
		_, err = p.CreateObject(h, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
			pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, certificate.RawSubject), pkcs11.NewAttribute(pkcs11.CKA_VALUE, der),
		})
		must("C_CreateObject", err)
	}
}

// session opens one for reading and writing on the token of a carrier.
func session(t T, p *pkcs11.Ctx, c Carrier) pkcs11.SessionHandle {
	t.Helper()
	slots, err := p.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		info, err := p.GetTokenInfo(slot)
		if err != nil || info.Label != c.Label {
			continue
		}
		h, err := p.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	t.Fatal(fmt.Sprintf("no token %q", c.Label))
	return 0
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
