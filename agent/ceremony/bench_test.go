package ceremony

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"testing"

	"github.com/perosign/pero/api"
	"github.com/stretchr/testify/require"
)

// BenchmarkSignSet signs sets of 500 documents, one window each; its yardstick is one thread that only signs.
func BenchmarkSignSet(b *testing.B) {
	h := newHouse(b, b.TempDir())
	for _, algorithm := range []string{"ec-p256", "rsa-2048"} {
		certificate := h.issue(algorithm)
		p := api.SignParams{Certificate: certificate.ID, Format: "cades"}
		for i := range 500 {
			p.Documents = append(p.Documents, inline(fmt.Sprint(i), "text"))
		}
		b.Run(algorithm, func(b *testing.B) {
			for b.Loop() {
				_, err := h.Sign(b.Context(), page, p)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "signatures/s")
		})
	}
	b.Run("yardstick ec-p256", func(b *testing.B) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(b, err)
		for b.Loop() {
			_, err := ecdsa.SignASN1(rand.Reader, key, sha([]byte("text")))
			require.NoError(b, err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signatures/s")
	})
}

// BenchmarkSignOne is one document, window and PIN and journal included.
func BenchmarkSignOne(b *testing.B) {
	h := newHouse(b, b.TempDir())
	certificate := h.issue("ec-p256")
	p := api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}}
	for b.Loop() {
		_, err := h.Sign(b.Context(), page, p)
		require.NoError(b, err)
	}
}

// BenchmarkStream takes in a document, signs it and gives the signature back.
func BenchmarkStream(b *testing.B) {
	const size = 256 << 20
	h := newHouse(b, b.TempDir())
	certificate := h.issue("ec-p256")
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for _, packaging := range []string{detached, attached} {
		b.Run(packaging, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				stream(b, h, certificate.ID, packaging, chunk, size)
			}
		})
	}
}

func stream(b *testing.B, h *house, certificate, packaging string, chunk []byte, size int64) {
	ctx := context.Background()
	u, err := h.OpenDocument(ctx, page, api.OpenDocumentParams{Name: "big", Size: size, Packaging: packaging})
	require.NoError(b, err)
	for range size / int64(len(chunk)) {
		require.NoError(b, h.WriteDocument(ctx, page, u.Upload, chunk))
	}
	_, err = h.CloseDocument(ctx, page, api.CloseDocumentParams(u))
	require.NoError(b, err)
	r, err := h.Sign(ctx, page, api.SignParams{Certificate: certificate, Format: cades, Packaging: packaging, Documents: []api.Document{
		{ID: "1", Name: "big", Upload: &u.Upload},
	}})
	require.NoError(b, err)
	if d := r.Results[0].Download; d != nil {
		require.NoError(b, h.FetchDocument(ctx, page, api.FetchDocumentParams{Download: d.Number}, io.Discard))
	}
}
