package ceremony

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// card is a house whose one carrier is the test module's card, which does what no soft token does.
func card(t *testing.T, settings ...string) (h *house, library string, certificate api.Certificate) {
	t.Helper()
	library = testmodule.Build(t)
	testmodule.Control(t, library, settings...)
	module := p11.New(p11.Config{Name: "Test", Path: library})
	t.Cleanup(func() { module.Close() })
	window := &scripted{pin: pin}
	h = furnish(t, t.TempDir(), window, host.Attended(module, window))
	list, err := h.Certificates(t.Context(), page, api.CertificatesParams{})
	require.NoError(t, err)
	require.Len(t, list.Certificates, 1)
	return h, library, list.Certificates[0]
}

func three(certificate api.Certificate) api.SignParams {
	return api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "one"), inline("2", "two"), inline("3", "three")}}
}

// holds lets openssl judge each signature. The card's certificate is its own issuer.
func (h *house) holds(library string, key string, r api.SignResult, p api.SignParams) {
	h.t.Helper()
	for i, s := range r.Results {
		require.Nil(h.t, s.Error)
		openssl(h.t, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", keep(h.t, s.Signature), "-CAfile", library+".control."+key+".pem",
			"-purpose", "any", "-content", keep(h.t, p.Documents[i].Content))
	}
}

func TestKeyThatAlwaysAuthenticates(t *testing.T) {
	for _, key := range []string{"ec", "rsa"} {
		t.Run(key, func(t *testing.T) {
			h, library, certificate := card(t, "always 1", "key "+key)
			p := three(certificate)
			r, err := h.Sign(t.Context(), page, p)
			require.NoError(t, err)
			h.holds(library, key, r, p)
			require.Equal(t, 3, h.window.count(), "the PIN of the login signs the first document, each further one is asked for")
			require.Equal(t, 3, h.window.last().PINs, "a person asked again is told how often: the module shows only after the login that the key wants it")
			require.Equal(t, 3, testmodule.Calls(t, library, "C_Login(CKU_CONTEXT_SPECIFIC)"))

			h.window.answer(nil, nil, tokens.ErrCancelled)
			r, err = h.Sign(t.Context(), page, three(certificate))
			require.NoError(t, err)
			require.Equal(t, 6, h.window.count(), "two PINs and one No")
			signed := slices.DeleteFunc(r.Results, func(s api.Signature) bool {
				return s.Error != nil && s.Error.Reason == api.UserCancelled
			})
			require.Len(t, signed, 2)

			h.window.answer(nil, tokens.ErrCancelled)
			_, err = h.Sign(t.Context(), page, three(certificate))
			require.NoError(t, err)
			require.Equal(t, 8, h.window.count(), "after a No nothing more is asked")
		})
	}
}

func TestPINPad(t *testing.T) {
	h, library, certificate := card(t, "pinpad 1")
	p := three(certificate)
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	h.holds(library, "ec", r, p)
	require.Equal(t, 1, h.window.count(), "the window asks for consent, the pad for the PIN")
	require.True(t, h.window.last().Token.PINPad)
	require.Len(t, h.window.last().Documents, 3)

	testmodule.Control(t, library, "pinpad 1", "pad cancel")
	_, err = h.Sign(t.Context(), page, p)
	refused(t, api.UserCancelled, err)

	h.window.answer(tokens.ErrCancelled)
	before := testmodule.Calls(t, library, "C_Login")
	_, err = h.Sign(t.Context(), page, p)
	refused(t, api.UserCancelled, err)
	require.Equal(t, before, testmodule.Calls(t, library, "C_Login"), "without consent the pad stays dark")
}

func TestReadOnlyToken(t *testing.T) {
	h, library, certificate := card(t, "readonly 1")
	p := three(certificate)
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	h.holds(library, "ec", r, p)
	before := h.window.count()
	_, err = h.BeginEnrollment(t.Context(), page, enrollParams(certificate.Token, "ec-p256", "r1"))
	refused(t, api.TokenReadOnly, err)
	_, err = h.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: certificate.ID, RequestID: "r2"})
	refused(t, api.TokenReadOnly, err)
	require.Equal(t, before, h.window.count(), "nobody is asked for what cannot be done")
}

func TestModuleCrashHidesNothingOfTheOthers(t *testing.T) {
	dir, library := t.TempDir(), testmodule.Build(t)
	testmodule.Control(t, library)
	card := hostedModule(t, host.Module{Name: "Test", Kind: "pkcs11", Path: library})
	window := &scripted{pin: pin}
	h := furnish(t, dir, window, host.Attended(file.New(filepath.Join(dir, "keys")), window))
	h.stores = append(h.stores, card)
	kept := h.issue("ec-p256")
	list, err := h.Certificates(t.Context(), page, api.CertificatesParams{})
	require.NoError(t, err)
	lost := list.Certificates[slices.IndexFunc(list.Certificates, func(c api.Certificate) bool { return c.Token != kept.Token })]

	testmodule.Control(t, library, "crash C_GetTokenInfo")
	_, err = h.Sign(t.Context(), page, three(lost))
	refused(t, api.ModuleCrashed, err)
	_, err = h.BeginEnrollment(t.Context(), page, enrollParams(lost.Token, "ec-p256", "r1"))
	refused(t, api.ModuleCrashed, err)
	all, err := h.Tokens(t.Context(), page)
	require.NoError(t, err)
	require.NotEmpty(t, all.Tokens)
	for _, token := range all.Tokens {
		require.Equal(t, "file", token.Carrier)
	}
	p := three(kept)
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	h.judged(r.Results[2].Signature, []byte("three"))

	testmodule.Control(t, library)
	h.until(func() error {
		_, err := h.Sign(t.Context(), page, three(lost))
		return err
	})
}
