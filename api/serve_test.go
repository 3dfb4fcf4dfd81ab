package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
)

// pair is a connection in memory.
func pair() (*end, *end) {
	a, b := make(chan packet, 64), make(chan packet, 64)
	gone, once := make(chan struct{}), new(sync.Once)
	return &end{a, b, gone, once}, &end{b, a, gone, once}
}

type packet struct {
	kind api.Kind
	data []byte
}

type end struct {
	in, out chan packet
	gone    chan struct{}
	once    *sync.Once
}

func (e *end) ReadMessage() (api.Kind, []byte, error) {
	select {
	case p := <-e.in:
		return p.kind, p.data, nil
	case <-e.gone:
		return 0, nil, io.EOF
	}
}

func (e *end) WriteMessage(k api.Kind, b []byte) error {
	select {
	case e.out <- packet{k, append([]byte(nil), b...)}:
		return nil
	case <-e.gone:
		return io.ErrClosedPipe
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.gone) })
	return nil
}

func (e *end) send(t *testing.T, format string, a ...any) {
	require.NoError(t, e.WriteMessage(api.Text, fmt.Appendf(nil, format, a...)))
}

func (e *end) hear(t *testing.T) string {
	k, b, err := e.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, api.Text, k)
	return string(b)
}

var me = api.Caller{Origin: "https://portal.example", Conn: 7}

func serve(t *testing.T, agent api.Agent, o api.Options) (*end, <-chan error) {
	page, door := pair()
	done := make(chan error, 1)
	go func() { done <- api.Serve(t.Context(), door, agent, me, o) }()
	t.Cleanup(func() { page.Close() })
	return page, done
}

// held is an agent whose access.request waits until it is let go or cancelled.
func held() (agent *apitest.Agent, begun chan string, release chan struct{}) {
	begun, release = make(chan string, 16), make(chan struct{})
	return &apitest.Agent{Before: func(ctx context.Context, c api.Caller, method string, p any) error {
		switch p := p.(type) {
		case api.AccessParams:
			begun <- p.Purpose
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				begun <- "ended"
				return fmt.Errorf("ask: %w", ctx.Err())
			}
		case api.HelloParams:
			if p.Client == "panic" {
				panic("a mistake")
			}
		}
		return nil
	}}, begun, release
}

const ask = `{"jsonrpc":"2.0","id":%s,"method":"access.request","params":{"purpose":"p"}}`

func TestAnswersComeInAnyOrder(t *testing.T) {
	agent, begun, release := held()
	page, _ := serve(t, agent, api.Options{})
	page.send(t, ask, `"first"`)
	require.Equal(t, "p", <-begun)
	page.send(t, `{"jsonrpc":"2.0","id":2,"method":"tokens.list"}`)
	require.Contains(t, page.hear(t), `"id":2,"result":{"tokens":[`)
	close(release)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":"first","result":{"access":"granted"}}`, page.hear(t))
}

func TestBusyBeyondEight(t *testing.T) {
	agent, begun, release := held()
	page, _ := serve(t, agent, api.Options{})
	for i := range 8 {
		page.send(t, ask, fmt.Sprint(i))
		<-begun
	}
	page.send(t, `{"jsonrpc":"2.0","id":8,"method":"tokens.list"}`)
	require.Contains(t, page.hear(t), `"reason":"busy"`)
	page.send(t, `{"jsonrpc":"2.0","id":9,"method":"request.cancel","params":{"id":3}}`)
	seen := page.hear(t) + page.hear(t)
	require.Contains(t, seen, `{"jsonrpc":"2.0","id":9,"result":{}}`)
	require.Contains(t, seen, `"id":3,"error":{"code":-32000,"message":"Cancelled.","data":{"reason":"user_cancelled"}}`)
	page.send(t, `{"jsonrpc":"2.0","id":10,"method":"tokens.list"}`) // the eighth place is free again
	require.Contains(t, page.hear(t), `"id":10,"result"`)
	close(release)
	for range 7 {
		require.Contains(t, page.hear(t), `"granted"`)
	}
}

func TestIDInUseTwice(t *testing.T) {
	agent, begun, release := held()
	page, _ := serve(t, agent, api.Options{})
	page.send(t, ask, "1")
	<-begun
	page.send(t, `{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`)
	require.Contains(t, page.hear(t), `"member":"id"`)
	page.send(t, `{"jsonrpc":"2.0","id":"1","method":"tokens.list"}`) // text is another id than a number
	require.Contains(t, page.hear(t), `"id":"1","result"`)
	close(release)
	require.Contains(t, page.hear(t), `"id":1,"result"`)
}

func TestRequestsDieWithTheConnection(t *testing.T) {
	agent, begun, _ := held()
	page, done := serve(t, agent, api.Options{})
	page.send(t, ask, "1")
	<-begun
	require.Empty(t, agent.Gone())
	page.Close()
	require.ErrorIs(t, <-done, io.EOF)
	require.Equal(t, "ended", <-begun)
	require.Equal(t, []api.Caller{me}, agent.Gone())
}

func TestRequestsDieWithTheAgent(t *testing.T) {
	agent, begun, _ := held()
	page, door := pair()
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, door, agent, me, api.Options{}) }()
	page.send(t, ask, "1")
	<-begun
	why := errors.New("shutdown")
	stop(why)
	require.ErrorIs(t, <-done, why)
	require.Equal(t, "ended", <-begun)
	_, _, err := page.ReadMessage()
	require.ErrorIs(t, err, io.EOF, "the connection is closed and the request not answered")
}

func TestMistakeOfOneRequest(t *testing.T) {
	agent, _, _ := held()
	page, _ := serve(t, agent, api.Options{Say: func(r api.Reason, member string) string { return "слова: " + string(r) + member }})
	page.send(t, `{"jsonrpc":"2.0","id":1,"method":"agent.hello","params":{"client":"panic"}}`)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"слова: internal","data":{"reason":"internal"}}}`, page.hear(t))
	page.send(t, `{"jsonrpc":"2.0","id":2,"method":"tokens.list"}`)
	require.Contains(t, page.hear(t), `"id":2,"result"`)
}

func TestErrorsOfTheAgent(t *testing.T) {
	var err error
	agent := &apitest.Agent{Before: func(context.Context, api.Caller, string, any) error { return err }}
	page, _ := serve(t, agent, api.Options{})
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("sign: %w", &api.Error{Reason: api.PINLocked, Message: "m", Err: errors.New("secret path")}), `{"code":-32000,"message":"m","data":{"reason":"pin_locked"}}`},
		{&api.Error{Reason: api.BadRequest, Message: "m", Member: "subject.inn"}, `{"code":-32602,"message":"m","data":{"reason":"bad_request","member":"subject.inn"}}`},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), `{"code":-32000,"message":"Nobody answered in time. Try again.","data":{"reason":"timed_out"}}`},
		{errors.New("open /home/anna/keys: permission denied"), `{"code":-32603,"message":"Something went wrong in Pero. Try again; if it stays, look into Pero's log.","data":{"reason":"internal"}}`},
	} {
		err = c.err
		page.send(t, `{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`)
		require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"error":`+c.want+`}`, page.hear(t))
	}
}

func TestRateLimited(t *testing.T) {
	allowed := false
	page, _ := serve(t, &apitest.Agent{}, api.Options{Allow: func() bool { allowed = !allowed; return allowed }})
	page.send(t, `{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`)
	require.Contains(t, page.hear(t), `"result"`)
	page.send(t, `{"jsonrpc":"2.0","id":2,"method":"tokens.list"}`)
	require.Contains(t, page.hear(t), `"id":2,"error":{"code":-32000,"message":"The site asks too often`)
}

func TestUploadsBelongToTheirConnection(t *testing.T) {
	agent := &apitest.Agent{}
	a, _ := serve(t, agent, api.Options{})
	b, _ := serve(t, agent, api.Options{})
	a.send(t, `{"jsonrpc":"2.0","id":1,"method":"documents.open","params":{"name":"x","size":5}}`)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"result":{"upload":1}}`, a.hear(t))
	for _, frame := range []string{"\x00\x00\x00\x01hello", "\x00\x00\x00\x09hello", "\x00\x00\x01", ""} {
		require.NoError(t, b.WriteMessage(api.Binary, []byte(frame)))
		require.Contains(t, b.hear(t), `"id":null,"error":{"code":-32602`)
	}
	b.send(t, `{"jsonrpc":"2.0","id":1,"method":"documents.close","params":{"upload":1}}`)
	require.Contains(t, b.hear(t), `"bad_request"`)
	require.NoError(t, a.WriteMessage(api.Binary, []byte("\x00\x00\x00\x01hello")))
	a.send(t, `{"jsonrpc":"2.0","id":2,"method":"documents.sync","params":{"upload":1}}`)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":2,"result":{"received":5}}`, a.hear(t))
	a.send(t, `{"jsonrpc":"2.0","id":3,"method":"documents.close","params":{"upload":1}}`)
	require.Contains(t, a.hear(t), `"sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`)
}

func TestUploadThatCannotBeKept(t *testing.T) {
	writes := 0
	agent := &apitest.Agent{Before: func(_ context.Context, _ api.Caller, method string, _ any) error {
		if method == "write" {
			writes++
			return &api.Error{Reason: api.StorageFailed, Message: "full"}
		}
		return nil
	}}
	page, _ := serve(t, agent, api.Options{})
	page.send(t, `{"jsonrpc":"2.0","id":1,"method":"documents.open","params":{"name":"x","size":5}}`)
	page.hear(t)
	for range 3 {
		require.NoError(t, page.WriteMessage(api.Binary, []byte("\x00\x00\x00\x01hello")))
	}
	for _, method := range []string{"documents.sync", "documents.close"} {
		page.send(t, `{"jsonrpc":"2.0","id":2,"method":"%s","params":{"upload":1}}`, method)
		require.Contains(t, page.hear(t), `"reason":"storage_failed"`)
	}
	require.Equal(t, 1, writes)
}

func TestClientCancels(t *testing.T) {
	agent, begun, _ := held()
	page, _ := serve(t, agent, api.Options{})
	client := api.NewClient(page)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := client.RequestAccess(ctx, me, api.AccessParams{Purpose: "p"})
		result <- err
	}()
	<-begun
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
	require.Equal(t, "ended", <-begun)
	_, err := client.Tokens(t.Context(), me)
	require.NoError(t, err)
}

func TestClientHearsEvents(t *testing.T) {
	agent := &apitest.Agent{}
	page, _ := serve(t, agent, api.Options{})
	client := api.NewClient(page)
	heard := make(chan api.Notification, 4)
	require.NoError(t, client.Subscribe(t.Context(), me, api.SubscribeParams{Events: []string{"tokens"}}, func(n api.Notification) { heard <- n }))
	want := api.Notification{Method: api.TokensChanged, Params: api.TokensResult{Tokens: []api.Token{apitest.Token}}}
	agent.Notify(want)
	require.Equal(t, want, <-heard)
	client.Close()
	<-client.Gone()
	_, err := client.Tokens(t.Context(), me)
	require.ErrorIs(t, err, io.EOF)
}

func TestFramesOfNoUploadCountAsMessages(t *testing.T) {
	left := 2
	page, _ := serve(t, &apitest.Agent{}, api.Options{Allow: func() bool { left--; return left >= 0 }})
	for range 40 {
		require.NoError(t, page.WriteMessage(api.Binary, []byte{0, 0, 0, 9, 1}))
		require.NoError(t, page.WriteMessage(api.Binary, []byte{0}))
	}
	page.send(t, `{"jsonrpc":"2.0","id":1,"method":"agent.hello"}`)
	for range 2 {
		require.Contains(t, page.hear(t), `"id":null`)
	}
	require.Contains(t, page.hear(t), "rate_limited", "all the others got no answer")
}

func TestSubscriptionsOfOneConnectionAreFew(t *testing.T) {
	page, _ := serve(t, &apitest.Agent{}, api.Options{})
	refused := 0
	for i := range 20 {
		page.send(t, `{"jsonrpc":"2.0","id":%d,"method":"events.subscribe","params":{"events":["tokens"]}}`, i)
		if answer := page.hear(t); !strings.Contains(answer, `"result"`) {
			require.Contains(t, answer, `"busy"`)
			refused++
		}
	}
	require.Equal(t, 12, refused)
}
