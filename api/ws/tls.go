package ws

import (
	"bytes"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// handshakeOctet begins every TLS connection: the type of a handshake record (RFC 8446 section 5.1). No HTTP request begins so.
const handshakeOctet = 0x16

// either brings connections that speak TLS or not, as their first octet says.
type either struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener. It reads nothing: who is silent waits in a reading of its own, under the deadline of the request's header.
func (l either) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &eitherConn{Conn: c, config: l.config}, nil
}

// eitherConn finds out at the first Read what it is. An HTTP server reads first, in one goroutine, and only then writes.
type eitherConn struct {
	net.Conn                          // as it came: its addresses and deadlines hold for both
	config   *tls.Config              // nil once it is known which
	secure   atomic.Pointer[tls.Conn] // over it; nil: plain
}

// Read implements net.Conn. The handshake is within it, so the deadline for reading holds for that too.
func (c *eitherConn) Read(b []byte) (int, error) {
	if s := c.secure.Load(); s != nil {
		return s.Read(b)
	}
	n, err := c.Conn.Read(b)
	if c.config == nil || n == 0 {
		return n, err
	}
	config := c.config
	c.config = nil
	if b[0] != handshakeOctet {
		return n, err
	}
	s := tls.Server(&begun{Conn: c.Conn, read: bytes.Clone(b[:n])}, config)
	c.secure.Store(s)
	return s.Read(b)
}

// Write implements net.Conn.
func (c *eitherConn) Write(b []byte) (int, error) {
	if s := c.secure.Load(); s != nil {
		return s.Write(b)
	}
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *eitherConn) Close() error {
	if s := c.secure.Load(); s != nil {
		return s.Close()
	}
	return c.Conn.Close()
}

// CloseWrite ends the sending side, so that the last answer arrives though the other end still sends.
func (c *eitherConn) CloseWrite() error {
	if s := c.secure.Load(); s != nil {
		return s.CloseWrite()
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	read []byte
}

// Read implements net.Conn.
func (c *begun) Read(b []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.read)
	c.read = c.read[n:]
	return n, nil
}
