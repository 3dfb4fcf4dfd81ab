package ceremony

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
)

// A site must not get, as a document, what it could use at another site as a sign-in, a signature or a renewal.
func TestDocumentsAreNotSomethingElse(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	shown := h.window.count()
	sign := func(c api.Caller, d api.Document) error {
		d.ID, d.Name = "1", "photo.jpg"
		_, err := h.Sign(t.Context(), c, api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{d}})
		return err
	}
	signIn := slices.Concat([]byte("pero-auth:1\n"), sha([]byte("https://bank.example")), sha(make([]byte, 32)))
	// The attributes of a signature: content-type, and as long as they get.
	attributes := append([]byte{0x31, 0x82, 0x01, 0x00, 0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03}, make([]byte, 240)...)
	for _, content := range [][]byte{signIn, attributes, append([]byte{0x31, 0x69}, attributes[4:]...)} {
		refused(t, api.BadRequest, sign(page, api.Document{Content: content}))
		for _, packaging := range []string{"", "detached"} {
			upload := h.send(content, packaging, "")
			refused(t, api.BadRequest, sign(page, api.Document{Upload: &upload}))
		}
		refused(t, api.AlgorithmUnsupported, sign(page, api.Document{Digest: &api.Digest{Algorithm: "sha256", Value: sha(content)}}))
	}
	require.Equal(t, shown, h.window.count(), "nobody was asked")

	for _, content := range []string{"", "1", "10 pages", "1. я", "pero-auth:2\n", "0123456789012345678901234567890123456789"} {
		require.NoError(t, sign(page, api.Document{Content: []byte(content)}))
	}
	digest := &api.Digest{Algorithm: "sha256", Value: sha(signIn)}
	require.NoError(t, sign(api.Caller{User: "someone", Conn: 2}, api.Document{Digest: digest}), "the person's own command line")
	h.rawDigests = []string{portal}
	require.NoError(t, sign(page, api.Document{Digest: digest}), "the configuration names the site")
}

func TestOnlyARenewalCallsItselfOne(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	renewal, err := h.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: certificate.ID, RequestID: "again"})
	require.NoError(t, err)
	mediaType := func(cms []byte) string {
		report, err := signature.VerifyCAdES(bytes.NewReader(cms), nil)
		require.NoError(t, err)
		require.NoError(t, report.Signers[0].Err)
		return report.Signers[0].MediaType
	}
	require.Equal(t, "application/pkcs10", mediaType(renewal.SignedRequest))
	for _, given := range []string{"application/pkcs10", "Application/PKCS10", "application/pkcs10; charset=utf-8"} {
		d := api.Document{ID: "1", Name: "request.p10", MediaType: given, Content: renewal.CSR}
		r, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Packaging: "attached", Documents: []api.Document{d}})
		require.NoError(t, err)
		require.Empty(t, mediaType(r.Results[0].Signature))
	}
}
