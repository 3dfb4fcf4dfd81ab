package ws

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/perosign/pero/api"
)

// Times and sizes of one connection.
const (
	firstMessage  = 10 * time.Second
	writeDeadline = 10 * time.Second
	smallBuffer   = 32 << 10 // kept by a connection that waits
	pingsBurst    = 8
)

// buffers are as large as the largest message that came, and are shared by the connections that are receiving one.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// conn is an api.Conn over a WebSocket.
type conn struct {
	ws     *websocket.Conn
	first  time.Duration // until when the first message has to come; 0: no matter
	limit  int           // octets of a text message that are kept
	small  []byte
	pooled *[]byte // in use for the last message
	once   sync.Once
}

// serverConn reads what a page sends.
func serverConn(c *websocket.Conn, first time.Duration) *conn {
	s := &conn{ws: c, first: first, limit: api.MaxFrame + 1, small: make([]byte, smallBuffer)}
	c.SetReadLimit(api.MaxBinary)
	budget := rate.NewLimiter(1, pingsBurst)
	c.SetPingHandler(func(data string) error {
		if !budget.Allow() {
			return errors.New("too many pings")
		}
		return c.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeDeadline))
	})
	c.SetPongHandler(func(string) error {
		if !budget.Allow() {
			return errors.New("too many pongs")
		}
		return nil
	})
	return s
}

// ReadMessage implements api.Conn.
func (c *conn) ReadMessage() (api.Kind, []byte, error) {
	if c.pooled != nil {
		buffers.Put(c.pooled)
		c.pooled = nil
	}
	if c.first > 0 {
		c.ws.SetReadDeadline(time.Now().Add(c.first))
	}
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return 0, nil, ended(err)
	}
	text := kind == websocket.TextMessage
	limit := api.MaxBinary
	if text {
		limit = c.limit
	}
	data, whole, err := c.readAll(r, limit)
	if err != nil {
		return 0, nil, ended(err)
	}
	if c.first > 0 {
		c.first = 0
		c.ws.SetReadDeadline(time.Time{})
	}
	if !text {
		return api.Binary, data, nil
	}
	if whole && !utf8.Valid(data) { // RFC 6455 section 8.1
		c.closeWith(websocket.CloseInvalidFramePayloadData, "not UTF-8")
		return 0, nil, errors.New("text that is not UTF-8")
	}
	return api.Text, data, nil
}

// readAll fills the small buffer, then a shared one that grows. What is beyond limit is read and dropped; whole is false then.
func (c *conn) readAll(r io.Reader, limit int) (data []byte, whole bool, err error) {
	b := c.small
	n := 0
	for {
		if n == len(b) {
			if n >= limit {
				_, err := io.Copy(io.Discard, r)
				return b[:limit], false, err
			}
			b = c.grow(b[:n], limit)
		}
		m, err := r.Read(b[n:])
		n += m
		if err == io.EOF {
			return b[:n], true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}

func (c *conn) grow(old []byte, limit int) []byte {
	if c.pooled == nil {
		c.pooled = buffers.Get().(*[]byte)
	}
	p := *c.pooled
	if cap(p) <= len(old) {
		// A message of a mebibyte and a number is usual: no step just below that.
		p = make([]byte, min(max(2*len(old), 256<<10)+64, limit))
	}
	p = p[:min(cap(p), limit)]
	copy(p, old)
	*c.pooled = p
	return p
}

// WriteMessage implements api.Conn.
func (c *conn) WriteMessage(k api.Kind, data []byte) error {
	kind := websocket.TextMessage
	if k == api.Binary {
		kind = websocket.BinaryMessage
	}
	c.ws.SetWriteDeadline(time.Now().Add(writeDeadline))
	if err := c.ws.WriteMessage(kind, data); err != nil {
		return fmt.Errorf("send to the page: %w", err)
	}
	return nil
}

// Close implements api.Conn.
func (c *conn) Close() error {
	c.closeWith(websocket.CloseGoingAway, "")
	return nil
}

// closeWith says why, without waiting, and ends the connection.
func (c *conn) closeWith(code int, text string) {
	c.once.Do(func() {
		c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
		c.ws.Close()
	})
}

// ended is io.EOF when the other side closed as it should.
func ended(err error) error {
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived, websocket.CloseAbnormalClosure) {
		return io.EOF
	}
	return fmt.Errorf("receive: %w", err)
}
