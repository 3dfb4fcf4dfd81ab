//go:build linux

package testbench_test

import (
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/tokentest"
)

// bare is a carrier's module itself. It is asked for what Pero refuses in its stead.
type bare struct {
	*subject
	lib     *pkcs11.Ctx
	slot    uint
	session pkcs11.SessionHandle
}

func (s *subject) bare() *bare {
	b := &bare{subject: s, lib: pkcs11.New(s.Path)}
	var parameters []pkcs11.InitializeOption
	if s.Parameters != "" {
		text := append([]byte(s.Parameters), 0)
		parameters = append(parameters, pkcs11.InitializeWithReserved(unsafe.Pointer(unsafe.SliceData(text))))
	}
	require.NoError(s, b.lib.Initialize(parameters...))
	s.Cleanup(func() { _ = b.lib.Finalize() })
	slots, err := b.lib.GetSlotList(true)
	require.NoError(s, err)
	for _, slot := range slots {
		if info, err := b.lib.GetTokenInfo(slot); err == nil && info.Label == s.Label {
			b.slot = slot
			b.session, err = b.lib.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
			require.NoError(s, err)
			return b
		}
	}
	require.Fail(s, "no token")
	return nil
}

// refused puts a refusal of the module into a cell.
func (b *bare) refused(err error) string {
	b.Helper()
	var code pkcs11.Error
	require.True(b, errors.As(err, &code), "Pero refuses what the module does: %v", err)
	said := code.Error() // "pkcs11: 0x54: CKR_FUNCTION_NOT_SUPPORTED"
	return "no: `" + said[strings.LastIndexByte(said, ' ')+1:] + "`"
}

func (b *bare) login() {
	b.Helper()
	require.NoError(b, b.lib.Login(b.session, pkcs11.CKU_USER, testbench.PIN))
}

// generates asks for a pair of keys.
func (b *bare) generates() string {
	b.login()
	_, _, err := b.lib.GenerateKeyPair(b.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve())},
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true)})
	return b.refused(err)
}

// takes brings an object.
func (b *bare) takes(template []*pkcs11.Attribute) string {
	b.login()
	_, err := b.lib.CreateObject(b.session, template)
	return b.refused(err)
}

// officer logs in as the one who sets the PIN.
func (b *bare) officer() string {
	return b.refused(b.lib.Login(b.session, pkcs11.CKU_SO, testbench.SOPIN))
}

// erases asks for that in the way of whoever knows no SO-PIN, then of who does.
func (b *bare) erases() string {
	require.NoError(b, b.lib.CloseSession(b.session))
	if b.lib.InitToken(b.slot, testbench.WrongPIN, "renamed") == nil {
		return "no: it would for whoever asks"
	}
	return b.refused(b.lib.InitToken(b.slot, testbench.SOPIN, "renamed"))
}

func curve() []byte {
	der, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	if err != nil {
		panic(err)
	}
	return der
}

func certificateTemplate(t *testing.T) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, []byte{0x30, 0}), pkcs11.NewAttribute(pkcs11.CKA_VALUE, tokentest.NewAuthority(t).DER),
	}
}

// keyTemplate is a private key on P-256.
func keyTemplate() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve()),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, append(make([]byte, 31), 1)),
	}
}
