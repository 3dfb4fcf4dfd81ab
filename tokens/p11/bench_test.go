package p11_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11"
)

// BenchmarkSign is goal P2's lower half: signing by the store, several at once, beside C_Sign on a session for each of as many threads.
func BenchmarkSign(b *testing.B) {
	dir := b.TempDir()
	require.NoError(b, os.Mkdir(filepath.Join(dir, "tokens"), 0o700))
	require.NoError(b, os.WriteFile(dir+"/conf", []byte("directories.tokendir = "+dir+"/tokens\nlog.level = ERROR\n"), 0o600))
	b.Setenv("SOFTHSM2_CONF", dir+"/conf")
	initToken(b, "bench")
	for _, algorithm := range []tokens.KeyAlgorithm{tokens.ECP256, tokens.RSA2048} {
		m := p11.New(p11.Config{Name: "SoftHSM", Path: softhsm})
		list, err := m.Tokens(b.Context())
		require.NoError(b, err)
		s, err := m.Login(b.Context(), list[0].ID, pin(userPIN), nil)
		require.NoError(b, err)
		id := tokens.KeyID("01")
		alg, mech, data := sha, pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), make([]byte, 32)
		if algorithm == tokens.RSA2048 {
			id, alg.Scheme, mech, data = "02", tokens.RSAPKCS1v15, pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), make([]byte, 51)
		}
		_, err = s.Generate(b.Context(), tokens.KeySpec{ID: id, Algorithm: algorithm})
		require.NoError(b, err)

		b.Run(string(algorithm)+"/store", func(b *testing.B) {
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := s.Sign(b.Context(), id, alg, data[:32]); err != nil {
						b.Error(err)
					}
				}
			})
		})
		b.Run(string(algorithm)+"/bare", func(b *testing.B) {
			ctx := pkcs11.New(softhsm)
			_ = ctx.Initialize() // it is, already, and logged in
			slots, err := ctx.GetSlotList(true)
			require.NoError(b, err)
			b.RunParallel(func(p *testing.PB) {
				h, err := ctx.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION)
				require.NoError(b, err)
				require.NoError(b, ctx.FindObjectsInit(h, []*pkcs11.Attribute{
					pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte{id[1] - '0'})}))
				keys, _, err := ctx.FindObjects(h, 1)
				require.NoError(b, err)
				require.NoError(b, ctx.FindObjectsFinal(h))
				for p.Next() {
					if ctx.SignInit(h, []*pkcs11.Mechanism{mech}, keys[0]) != nil {
						b.Error("C_SignInit")
					}
					if _, err := ctx.Sign(h, data); err != nil {
						b.Error(err)
					}
				}
			})
		})
		require.NoError(b, s.Close())
		require.NoError(b, m.Close())
	}
}
