package pkcs12

import (
	"encoding/pem"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/tokentest/published"
)

// TestPublishedContainers opens what others published, with the key each must hold.
func TestPublishedContainers(t *testing.T) {
	for name, key := range map[string]string{
		"rfc9548/a1-cert-plain-key-kuznyechik-omac.p12": "rfc9548/bag-key512.p8.der",
		"rfc9548/a2-cert-magma-omac-key-magma.p12":      "rfc9548/bag-key512.p8.der",
		"tc26-rfc4490-era/r50.1.112-2016.p12":           "tc26-rfc4490-era/r50.1.112-2016.key.p8.der",
		"gnutls/gost01.p12":                             "gnutls/key-gost01-2.p8",
		"gnutls/gost12.p12":                             "gnutls/key-gost12-256-2.p8",
		"gnutls/gost12-2.p12":                           "gnutls/key-gost12-256-2.p8",
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := Parse(published.File(t, name))
			require.NoError(t, err)
			require.False(t, f.Native)
			store, lock, err := f.Open([]byte("Пароль для PFX"))
			require.NoError(t, err)
			require.Len(t, store.Keys, 1)
			require.Len(t, store.Certificates, 1)
			want, err := gost.ParsePrivateKey(decoded(published.File(t, key)))
			require.NoError(t, err)
			got, err := gost.ParsePrivateKey(store.Keys[0].Private)
			require.NoError(t, err)
			require.True(t, want.Equal(got))
			require.Equal(t, got.Public().(*gost.PublicKey).Marshal(), store.Keys[0].Public)

			_, _, err = f.Open([]byte("Пароль для PFY"))
			require.ErrorIs(t, err, ErrPassword)

			// It is sealed again in our layout.
			store.Keys[0].ID = []byte{1}
			ours, err := lock.Seal(store)
			require.NoError(t, err)
			again, err := Parse(ours)
			require.NoError(t, err)
			require.True(t, again.Native)
			reread, _, err := again.Open([]byte("Пароль для PFX"))
			require.NoError(t, err)
			require.Equal(t, store.Keys[0].Private, reread.Keys[0].Private)
		})
	}
	for _, name := range []string{"key-gost01-2", "key-gost12-256-2"} {
		closed, ok := readShrouded(decoded(published.File(t, "gnutls/"+name+"-enc.p8")))
		require.True(t, ok, name)
		private, err := decrypt(closed.algorithm, []byte("Пароль для PFX"), closed.ciphertext, &budget{maxIterations})
		require.NoError(t, err, name)
		requireGOSTKey(t, decoded(published.File(t, "gnutls/"+name+".p8")), private)
	}
	_, err := Parse(published.File(t, "rfc9548/a3-public-key-integrity-and-privacy.p12"))
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, "public key")
}

func decoded(data []byte) []byte {
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes
	}
	return data
}
