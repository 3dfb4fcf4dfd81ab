package ws_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
	"github.com/perosign/pero/api/ws"
)

const page = "https://portal.example"

// open serves an agent on a free port until the test ends.
func open(t *testing.T, c ws.Config) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l, err := ws.Listen(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- ws.Serve(ctx, l, c) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return l.Addr().(*net.TCPAddr).String()
}

func everyone(string) bool { return true }

func dial(t *testing.T, addr string) *api.Client {
	t.Helper()
	c, err := ws.Dial(t.Context(), addr, page)
	require.NoError(t, err)
	client := api.NewClient(c)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestConversation(t *testing.T) {
	agent := &apitest.Agent{Keep: 64 << 20}
	client := dial(t, open(t, ws.Config{Agent: agent, Granted: everyone}))
	ctx, me := t.Context(), api.Caller{}

	hello, err := client.Hello(ctx, me, api.HelloParams{Client: "test"})
	require.NoError(t, err)
	require.Equal(t, "pero", hello.Product)

	content := bytes.Repeat([]byte("0123456789abcdef"), 300_000) // 4.8 MB: several frames each way
	opened, err := client.OpenDocument(ctx, me, api.OpenDocumentParams{Name: "a.pdf", Size: int64(len(content)), Packaging: "attached"})
	require.NoError(t, err)
	require.NoError(t, client.WriteDocument(ctx, me, opened.Upload, content))
	closed, err := client.CloseDocument(ctx, me, api.CloseDocumentParams(opened))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(content)), closed.SHA256)

	var steps []api.Progress
	signed, err := client.Sign(api.WithProgress(ctx, func(p api.Progress) { steps = append(steps, p) }), me, api.SignParams{
		Certificate: apitest.Certificate.ID, Format: "cades", Packaging: "attached",
		Documents: []api.Document{{ID: "1", Name: "a.pdf", Upload: &opened.Upload}}})
	require.NoError(t, err)
	require.Equal(t, []api.Progress{{Step: api.StepConsent}, {Step: api.StepSigning, Done: 1, Total: 1}}, steps)
	var got bytes.Buffer
	require.NoError(t, client.FetchDocument(ctx, me, api.FetchDocumentParams{Download: signed.Results[0].Download.Number}, &got))
	require.True(t, bytes.Equal(append([]byte("signed:"), content...), got.Bytes()))
}
