package local

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/perosign/pero/api"
)

const (
	// greeting is what each end says first. An HTTP request cannot begin like this, so a page that some proxy of this machine lets
	// reach the socket gets no further; version 1 of this exchange.
	greeting = "\x00pero local 1\n"
	// quick is how long the other end has for its greeting, and for taking a message.
	quick = 5 * time.Second
	// large is when the room for a message is not kept for the next.
	large = 64 << 10
	// longest is the longest message: what api.Serve takes.
	longest = api.MaxBinary
)

var errGreeting = errors.New("not the greeting of the agent's own programs")

// conn carries whole messages over a stream: an octet that says the kind, four that say the length, then the message.
type conn struct {
	net.Conn
	r   *bufio.Reader
	buf []byte
}

var _ api.Conn = (*conn)(nil)

// greet makes sure that the other end speaks this exchange; what listens waits for what connects.
func greet(c net.Conn, first bool) (*conn, error) {
	if err := c.SetDeadline(time.Now().Add(quick)); err != nil {
		return nil, err
	}
	own := &conn{Conn: c, r: bufio.NewReader(c)}
	if first {
		if _, err := io.WriteString(c, greeting); err != nil {
			return nil, fmt.Errorf("greet: %w", err)
		}
	}
	for i := range len(greeting) { // octet by octet: what is something else may be shorter, and wait
		b, err := own.r.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("read the greeting: %w", err)
		}
		if b != greeting[i] {
			return nil, errGreeting
		}
	}
	if !first {
		if _, err := io.WriteString(c, greeting); err != nil {
			return nil, fmt.Errorf("greet: %w", err)
		}
	}
	return own, c.SetDeadline(time.Time{})
}

// ReadMessage implements api.Conn.
func (c *conn) ReadMessage() (api.Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return 0, nil, err
	}
	kind, n := api.Kind(head[0]), binary.BigEndian.Uint32(head[1:])
	if kind != api.Text && kind != api.Binary || n > longest {
		return 0, nil, fmt.Errorf("a message of kind %d and %d octets", kind, n)
	}
	if cap(c.buf) < int(n) || cap(c.buf) > large {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	_, err := io.ReadFull(c.r, c.buf)
	return kind, c.buf, err
}

// WriteMessage implements api.Conn.
func (c *conn) WriteMessage(k api.Kind, b []byte) error {
	if len(b) > longest {
		return fmt.Errorf("a message of %d octets", len(b))
	}
	if err := c.SetWriteDeadline(time.Now().Add(quick)); err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint32([]byte{byte(k)}, uint32(len(b)))
	_, err := (&net.Buffers{head, b}).WriteTo(c.Conn)
	return err
}
