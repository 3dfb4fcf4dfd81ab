package ceremony

import (
	"testing"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

// A renewal may change the algorithm: the old key signs the request of a key of another kind, in one file with it, and goes on to sign.
func TestRenewalAcrossAlgorithms(t *testing.T) {
	h := newHouse(t, t.TempDir())
	b := newBureau(t, h, gostKinds[0])
	lives := []api.Certificate{b.enroll(h.freshToken(), "first")}
	for _, algorithm := range []tokens.KeyAlgorithm{tokens.GOST2012512, tokens.ECP256, tokens.GOST2012256} {
		old := lives[len(lives)-1]
		t.Log(old.KeyAlgorithm, "to", algorithm)
		windows := h.window.count()
		r, err := h.BeginRenewal(t.Context(), page, api.RenewParams{
			Certificate: old.ID, RequestID: string(algorithm), Key: &api.KeyParams{Algorithm: string(algorithm)},
		})
		require.NoError(t, err)
		require.Equal(t, algorithm, h.window.last().Key, "the window says what is new")
		require.Equal(t, r.CSR, b.judge(r.SignedRequest, nil))
		report, err := h.Verify(t.Context(), page, api.VerifyParams{Signature: r.SignedRequest, Format: "cades"})
		require.NoError(t, err)
		require.True(t, report.Valid)
		require.Equal(t, old.ID, report.Signers[0].Certificate.ID)
		require.Equal(t, string(tokens.HashOf(tokens.KeyAlgorithm(old.KeyAlgorithm))), report.Signers[0].Digest, "the old key's own digest")

		done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: r.Enrollment, Certificates: b.issue(r.CSR)})
		require.NoError(t, err)
		require.Equal(t, windows+1, h.window.count(), "one PIN")
		require.Equal(t, string(algorithm), done.Certificate.KeyAlgorithm)
		require.Equal(t, old.Subject, done.Certificate.Subject)
		require.Equal(t, old.Token, done.Certificate.Token)
		lives = append(lives, done.Certificate)
	}
	for _, c := range lives {
		s, err := h.Sign(t.Context(), page, api.SignParams{Certificate: c.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
		require.NoError(t, err, c.KeyAlgorithm)
		b.judge(s.Results[0].Signature, []byte("text"))
	}
}
