package ws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
	"github.com/perosign/pero/api/ws"
)

// certified gives both sides of TLS with a certificate for this machine.
func certified(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(c)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
		&tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// upgrade opens a WebSocket over TLS as a browser does.
func upgrade(t *testing.T, addr, host, origin string, client *tls.Config) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{ws.Protocol}, TLSClientConfig: client}
	c, r, err := d.DialContext(t.Context(), "wss://"+addr+"/v1", http.Header{"Origin": {origin}, "Host": {host}})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, r, err
}

func TestBothOnOnePort(t *testing.T) {
	server, client := certified(t)
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone, TLS: server})
	named := strings.Replace(addr, "127.0.0.1", "localhost", 1)
	const hello = `{"jsonrpc":"2.0","id":1,"method":"agent.hello","params":{"client":"test"}}`
	for range 3 { // by turns, and all stay open
		c, _, err := upgrade(t, addr, named, page, client)
		require.NoError(t, err)
		require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(hello)))
		_, got, err := c.ReadMessage()
		require.NoError(t, err)
		require.Contains(t, string(got), `"product":"pero"`)

		_, err = dial(t, addr).Hello(t.Context(), api.Caller{}, api.HelloParams{Client: "test"})
		require.NoError(t, err)
	}
}

func TestDoorIsTheSameOverTLS(t *testing.T) {
	server, client := certified(t)
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone, TLS: server})
	for name, c := range map[string][2]string{
		"rebound name":  {"evil.example" + addr[strings.LastIndex(addr, ":"):], page},
		"plain origin":  {addr, "http://portal.example"},
		"opaque origin": {addr, "null"},
	} {
		_, r, err := upgrade(t, addr, c[0], c[1], client)
		require.Error(t, err, name)
		require.NotNil(t, r, name)
		require.Equal(t, http.StatusForbidden, r.StatusCode, name)
	}
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err := tls.Dial("tcp", addr, old)
	require.ErrorContains(t, err, "protocol version")
	two := client.Clone()
	two.NextProtos = []string{"h2", "http/1.1"}
	c, err := tls.Dial("tcp", addr, two)
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, "http/1.1", c.ConnectionState().NegotiatedProtocol)
}

// What is neither a request nor TLS is closed, and keeps nobody from coming in meanwhile.
func TestNeitherHTTPNorTLS(t *testing.T) {
	server, client := certified(t)
	addr := open(t, ws.Config{Agent: &apitest.Agent{}, Granted: everyone, TLS: server})
	begun := map[string]net.Conn{}
	for name, octets := range map[string]string{
		"nothing":                  "",
		"a handshake that begins":  "\x16",
		"a handshake that stops":   "\x16\x03\x01\x02\x00\x01\x00",
		"a handshake of nonsense":  "\x16" + strings.Repeat("\xff", 600),
		"another record of TLS":    "\x17\x03\x03\x00\x05hello\r\n\r\n",
		"SSL 2":                    "\x80\x2e\x01\x00\x02" + strings.Repeat("a", 41) + "\r\n\r\n",
		"zeros":                    strings.Repeat("\x00", 64) + "\r\n\r\n",
		"a remote desktop's hello": "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00\r\n\r\n",
	} {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, octets)
		require.NoError(t, err)
		begun[name] = c
	}
	c, err := tls.Dial("tcp", addr, client)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /v1 HTTP/1.1\r\nHost: "+addr+"\r\n")
	require.NoError(t, err)
	begun["a header that stops"] = c

	_, _, err = upgrade(t, addr, addr, page, client)
	require.NoError(t, err, "another comes in while these wait")
	for name, c := range begun {
		got, err := io.ReadAll(c)
		require.NoError(t, err, "%s is closed by the door", name)
		require.NotContains(t, string(got), "101 Switching", name)
	}
}
