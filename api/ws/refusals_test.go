package ws_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
	"github.com/perosign/pero/api/ws"
)

// handshake is what a browser sends; more replaces or adds lines, an empty value leaves one out.
func handshake(addr, path string, more ...string) string {
	lines := []string{"Host: " + addr, "Origin: " + page, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: pero.v1"}
	for _, m := range more {
		name, value, _ := strings.Cut(m, ":")
		added := false
		for i, l := range lines {
			if strings.HasPrefix(l, strings.TrimPrefix(name, "+")+":") && !strings.HasPrefix(name, "+") {
				lines[i], added = m, true
				if value == "" {
					lines[i] = ""
				}
			}
		}
		if !added {
			lines = append(lines, strings.TrimPrefix(m, "+"))
		}
	}
	var b strings.Builder
	if !strings.Contains(path, " ") {
		path = "GET " + path
	}
	b.WriteString(path + " HTTP/1.1\r\n")
	for _, l := range lines {
		if l != "" {
			b.WriteString(l + "\r\n")
		}
	}
	return b.String() + "\r\n"
}

// answer sends octets and gives the HTTP answer and its body.
func answer(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	require.NoError(t, err)
	if r.StatusCode == http.StatusSwitchingProtocols {
		return r, ""
	}
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r, string(body)
}

// The one list of what the door refuses. Each is tried at both addresses, where it applies.
func TestRefusals(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	port := addr[strings.LastIndex(addr, ":"):]
	origins := map[string]string{
		"null":                    "null",
		"empty":                   " ",
		"http":                    "http://portal.example",
		"http on the network":     "http://192.168.0.7",
		"file":                    "file://",
		"extension":               "chrome-extension://abcdefgh",
		"ws":                      "wss://portal.example",
		"no scheme":               "portal.example",
		"trailing dot":            "https://portal.example.",
		"path":                    "https://portal.example/",
		"query":                   "https://portal.example?",
		"fragment":                "https://portal.example#",
		"user":                    "https://portal.example@evil.example",
		"empty user":              "https://@portal.example",
		"two in one":              "https://portal.example https://evil.example",
		"list":                    "https://portal.example, https://evil.example",
		"port zero":               "https://portal.example:0",
		"port beyond":             "https://portal.example:65536",
		"port with zeros":         "https://portal.example:0443",
		"port empty":              "https://portal.example:",
		"no host":                 "https://",
		"host with space":         "https://portal .example",
		"host not in ASCII":       "https://портал.example",
		"wildcard":                "https://*.example",
		"long":                    "https://" + strings.Repeat("a.", 130) + "example",
		"localhost as a suffix":   "http://evil-localhost",
		"loopback as a name":      "http://127.0.0.1.evil.example",
		"mapped address":          "http://[::ffff:127.0.0.1]",
		"zone":                    "http://[::1%25lo]",
		"address not in brackets": "https://::1",
		"address long form":       "http://[0:0:0:0:0:0:0:1]",
		"backslash":               `https://portal.example\`,
		"escape":                  "https://portal%2eexample",
	}
	cases := map[string]string{
		"rebound name":          handshake(addr, "@", "Host: evil.example"+port),
		"rebound name, no port": handshake(addr, "@", "Host: evil.example"),
		"host without port":     handshake(addr, "@", "Host: 127.0.0.1"),
		"host of another port":  handshake(addr, "@", "Host: 127.0.0.1:1"),
		"host upper case":       handshake(addr, "@", "Host: LOCALHOST"+port),
		"host trailing dot":     handshake(addr, "@", "Host: localhost."+port),
		"host 127.1":            handshake(addr, "@", "Host: 127.1"+port),
		"host 0.0.0.0":          handshake(addr, "@", "Host: 0.0.0.0"+port),
		"forwarded host":        handshake(addr, "@", "Host: evil.example", "X-Forwarded-Host: "+addr),
		"absolute address":      handshake(addr, "GET http://evil.example@", "Host: "+addr),
		"post":                  handshake(addr, "POST @", "Content-Length: 0"),
		"options":               handshake(addr, "OPTIONS @", "Access-Control-Request-Method: GET"),
		"head":                  handshake(addr, "HEAD @"),
		"body":                  handshake(addr, "@", "Content-Length: 2") + "ab",
		"query":                 handshake(addr, "@?origin=x"),
		"other path":            handshake(addr, "/"),
		"path below":            handshake(addr, "@/x"),
		"path upper case":       handshake(addr, "/V1"),
		"path with dots":        handshake(addr, "/x/..@"),
		"path escaped":          handshake(addr, "/%761"),
		"double slash":          handshake(addr, "/@"),
		"debug":                 handshake(addr, "/debug/pprof/"),
		"no origin":             handshake(addr, "@", "Origin:"),
		"two origins":           handshake(addr, "@", "+Origin: "+page),
		"two different origins": handshake(addr, "@", "+Origin: https://evil.example"),
		"referer for an origin": handshake(addr, "@", "Origin:", "Referer: "+page+"/"),
	}
	for name, origin := range origins {
		cases["origin "+name] = handshake(addr, "@", "Origin: "+origin)
	}
	for name, request := range cases {
		for _, path := range []string{"/v1", "/v1/ping"} {
			t.Run(name+" at "+path, func(t *testing.T) {
				refusedWith403(t, addr, strings.Replace(request, "@", path, 1))
			})
		}
	}
	for name, request := range map[string]string{
		"no subprotocol":    handshake(addr, "/v1", "Sec-WebSocket-Protocol:"),
		"other subprotocol": handshake(addr, "/v1", "Sec-WebSocket-Protocol: pero.v2"),
		"no upgrade":        handshake(addr, "/v1", "Upgrade:"),
		"no connection":     handshake(addr, "/v1", "Connection: close"),
		"old version":       handshake(addr, "/v1", "Sec-WebSocket-Version: 8"),
		"no key":            handshake(addr, "/v1", "Sec-WebSocket-Key:"),
		"short key":         handshake(addr, "/v1", "Sec-WebSocket-Key: AAAA"),
	} {
		t.Run(name, func(t *testing.T) { refusedWith403(t, addr, request) })
	}
}

func refusedWith403(t *testing.T, addr, request string) {
	t.Helper()
	r, body := answer(t, addr, request)
	require.Equal(t, http.StatusForbidden, r.StatusCode)
	if !strings.HasPrefix(request, "HEAD") {
		require.Equal(t, "refused\n", body)
	}
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
	require.True(t, r.Close)
	delete(r.Header, "Date")
	require.Equal(t, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"}, "Cache-Control": {"no-store"},
		"Content-Length": {"8"}}, r.Header, "nothing in it tells one refusal from another")
}

// Every route stands behind the gate: the list of them is the door's own.
func TestEveryRouteHasTheGate(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	require.ElementsMatch(t, []string{"/v1", "/v1/ping"}, ws.Routes())
	for _, path := range ws.Routes() {
		for _, wrong := range []string{"Host: evil.example", "Origin: null", "Origin:", "+Origin: " + page} {
			r, _ := answer(t, addr, handshake(addr, path, wrong))
			require.Equal(t, http.StatusForbidden, r.StatusCode, "%s with %s", path, wrong)
		}
		r, _ := answer(t, addr, handshake(addr, path))
		require.Contains(t, []int{http.StatusSwitchingProtocols, http.StatusNoContent}, r.StatusCode, path)
	}
	stranger := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone,
		User: func(_, _ netip.AddrPort) (string, error) { return "", errors.New("another user") }})
	for _, path := range ws.Routes() {
		refusedWith403(t, stranger, handshake(stranger, path))
	}
}

func TestAccepted(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	port := addr[strings.LastIndex(addr, ":"):]
	for _, more := range [][]string{
		{"Host: " + addr}, {"Host: [::1]" + port}, {"Host: localhost" + port}, {"Origin: https://127.0.0.1:8443"}, {"Origin: http://localhost:3000"},
		{"Origin: http://127.0.0.1"}, {"Origin: http://[::1]:8080"}, {"Origin: https://xn--80aqd4dd.example"},
		{"Sec-WebSocket-Protocol: other, pero.v1"}, {"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"},
	} {
		r, _ := answer(t, addr, handshake(addr, "/v1", more...))
		require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode, more)
		require.Equal(t, "pero.v1", r.Header.Get("Sec-Websocket-Protocol"))
		require.Empty(t, r.Header.Get("Sec-Websocket-Extensions"), "no compression")
	}
	r, body := answer(t, addr, handshake(addr, "/v1/ping", "Origin: https://unknown.example"))
	require.Equal(t, http.StatusNoContent, r.StatusCode)
	require.Empty(t, body)
	delete(r.Header, "Date")
	require.Equal(t, http.Header{"Access-Control-Allow-Origin": {"https://unknown.example"}, "Vary": {"Origin"}, "Cache-Control": {"no-store"}}, r.Header)
}

// The agent is told origins in one form, however the header was written.
func TestOriginInOneForm(t *testing.T) {
	agent := &apitest.Agent{}
	addr := open(t, ws.Config{Agent: agent, Granted: everyone})
	for written, want := range map[string]string{
		"https://portal.example:443": "https://portal.example", "HTTPS://Portal.Example": "https://portal.example",
		"http://localhost:80": "http://localhost", "https://portal.example:8443": "https://portal.example:8443", "http://[::1]:80": "http://[::1]",
	} {
		c, err := ws.Dial(t.Context(), addr, written)
		require.NoError(t, err, written)
		client := api.NewClient(c)
		result, err := client.Authenticate(t.Context(), api.Caller{}, api.AuthenticateParams{Certificate: apitest.Certificate.ID, Challenge: make([]byte, 32)})
		require.NoError(t, err)
		require.Equal(t, want, string(result.Token))
		client.Close()
	}
}

func TestConnectionsPerOrigin(t *testing.T) {
	granted := false
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: func(string) bool { return granted }})
	dialing := func(origin string) error {
		c, err := ws.Dial(t.Context(), addr, origin)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	for range 2 {
		require.NoError(t, dialing(page))
	}
	require.ErrorContains(t, dialing(page), "403")
	require.ErrorContains(t, dialing(page+":443"), "403", "the same origin")
	require.NoError(t, dialing("https://other.example"))
	granted = true
	for range 6 {
		require.NoError(t, dialing(page))
	}
	require.ErrorContains(t, dialing(page), "403")
	for i := range 128 - 9 {
		require.NoError(t, dialing(fmt.Sprintf("https://n%d.example", i)))
	}
	require.ErrorContains(t, dialing("https://one-more.example"), "403", "a thousand origins of one user are no more than one user")
}

func TestFloodBeforeConsent(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}})
	c, err := ws.Dial(t.Context(), addr, page)
	require.NoError(t, err)
	defer c.Close()
	limited := 0
	for {
		if c.WriteMessage(api.Text, []byte(`{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`)) != nil {
			break
		}
		_, b, err := c.ReadMessage()
		if err != nil {
			break
		}
		if bytes.Contains(b, []byte("rate_limited")) {
			limited++
		}
	}
	require.GreaterOrEqual(t, limited, 50, "many are refused, then the connection is closed")
	again, err := ws.Dial(t.Context(), addr, page)
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.WriteMessage(api.Text, []byte(`{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`)))
	require.NoError(t, again.WriteMessage(api.Text, []byte(`{"jsonrpc":"2.0","id":2,"method":"tokens.list"}`)))
	require.NoError(t, again.WriteMessage(api.Text, []byte(`{"jsonrpc":"2.0","id":3,"method":"tokens.list"}`)))
	heard := ""
	for range 3 {
		_, b, err := again.ReadMessage()
		require.NoError(t, err)
		heard += string(b)
	}
	require.Contains(t, heard, "rate_limited", "to connect again gains nothing")
}

// raw is a WebSocket whose frames a test writes itself.
func raw(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, handshake(addr, "/v1"))
	require.NoError(t, err)
	r := bufio.NewReader(c)
	a, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, a.StatusCode)
	require.Zero(t, r.Buffered())
	return c
}

// masked makes a frame of a client; opcode with its flags.
func masked(first byte, data []byte) []byte {
	b := []byte{first}
	switch {
	case len(data) < 126:
		b = append(b, 0x80|byte(len(data)))
	default:
		b = append(b, 0x80|126, byte(len(data)>>8), byte(len(data)))
	}
	return append(append(b, 0, 0, 0, 0), data...) // the mask of zeros
}

// closeCode reads up to the close frame (unmasked, short).
func closeCode(t *testing.T, c net.Conn) int {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, _ := io.ReadAll(c)
	i := bytes.LastIndex(b, []byte{0x88})
	for ; i >= 0; i = bytes.LastIndex(b[:i], []byte{0x88}) {
		if i+4 <= len(b) && i+2+int(b[i+1]) == len(b) {
			return int(b[i+2])<<8 | int(b[i+3])
		}
	}
	return 0
}

func TestFramesThatEndTheConnection(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	var pings []byte
	for range 64 {
		pings = append(pings, masked(0x89, nil)...)
	}
	for name, c := range map[string]struct {
		sent []byte
		code int
	}{
		"unmasked":            {[]byte{0x81, 2, '{', '}'}, websocket.CloseProtocolError},
		"compressed":          {masked(0xc1, []byte("{}")), websocket.CloseProtocolError},
		"unknown opcode":      {masked(0x83, []byte("{}")), websocket.CloseProtocolError},
		"not UTF-8":           {masked(0x81, []byte("{\"\xff\":1}")), websocket.CloseInvalidFramePayloadData},
		"surrogate in UTF-8":  {masked(0x81, []byte("\"\xed\xa0\x80\"")), websocket.CloseInvalidFramePayloadData},
		"UTF-8 cut by frames": {append(masked(0x01, []byte("\"\xd1")), masked(0x80, []byte("\""))...), websocket.CloseInvalidFramePayloadData},
		"long control frame":  {append([]byte{0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), websocket.CloseProtocolError},
		"too many pings":      {pings, 0},
		// A length of 8 MiB; nothing of it needs to be sent.
		"too long a message": {[]byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0}, websocket.CloseMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			conn := raw(t, addr)
			_, err := conn.Write(c.sent)
			require.NoError(t, err)
			code := closeCode(t, conn) // returns when the connection is closed
			if c.code != 0 {
				require.Equal(t, c.code, code)
			}
		})
	}
}

func TestOversizeTextLosesNothing(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	c, err := ws.Dial(t.Context(), addr, page)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.WriteMessage(api.Text, bytes.Repeat([]byte(" "), 3<<20)))
	_, b, err := c.ReadMessage()
	require.NoError(t, err)
	require.Contains(t, string(b), `"reason":"bad_request"`)
	require.NoError(t, c.WriteMessage(api.Text, []byte(`{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`)))
	_, b, err = c.ReadMessage()
	require.NoError(t, err)
	require.Contains(t, string(b), `"id":1,"result"`)
}

// The door's patience is 5 and 10 seconds: these wait for its end, not for a time of their own.
func TestPatience(t *testing.T) {
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone})
	t.Run("slow header", func(t *testing.T) {
		t.Parallel()
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "GET /v1 HTTP/1.1\r\nHost: "+addr+"\r\n")
		require.NoError(t, err)
		_, err = io.ReadAll(c)
		require.NoError(t, err, "closed by the door")
	})
	t.Run("no first message", func(t *testing.T) {
		t.Parallel()
		c := raw(t, addr)
		_, err := io.ReadAll(c)
		require.NoError(t, err, "closed by the door")
	})
	t.Run("large header", func(t *testing.T) {
		t.Parallel()
		r, _ := answer(t, addr, handshake(addr, "/v1", "Cookie: "+strings.Repeat("a", 9<<10)))
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, r.StatusCode)
	})
	t.Run("header that fits", func(t *testing.T) {
		t.Parallel()
		r, _ := answer(t, addr, handshake(addr, "/v1", "Cookie: "+strings.Repeat("a", 7<<10)))
		require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
	})
}

func TestShutdownClosesConnections(t *testing.T) {
	begun := make(chan struct{}, 1)
	agent := &apitest.Agent{Before: func(ctx context.Context, _ api.Caller, method string, _ any) error {
		if method == "access.request" {
			begun <- struct{}{}
			<-ctx.Done()
		}
		return ctx.Err()
	}}
	ctx, stop := context.WithCancel(t.Context())
	l, err := ws.Listen(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- ws.Serve(ctx, l, ws.Config{Agent: agent, Granted: everyone}) }()
	client := dial(t, l.Addr().String())
	go client.RequestAccess(t.Context(), api.Caller{}, api.AccessParams{})
	<-begun
	stop()
	require.NoError(t, <-done)
	require.Len(t, agent.Gone(), 1)
	<-client.Gone()
	_, err = net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
}

func TestListen(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "localhost:0", "127.0.0.1", "[::ffff:127.0.0.1]:0", ""} {
		_, err := ws.Listen(t.Context(), addr)
		require.Error(t, err, addr)
	}
	l, err := ws.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = ws.Listen(t.Context(), l.Addr().String())
	require.ErrorContains(t, err, "may be impersonating")
	wide, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer wide.Close()
	require.Error(t, ws.Serve(t.Context(), wide, ws.Config{}))
}
