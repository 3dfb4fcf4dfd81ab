package service

import (
	"bytes"
	"context"
	"net"
	"time"
)

const (
	awayTime   = 2 * time.Second
	awayOctets = 8 << 10
)

// away is the answer for a person without an agent. Every page may read it: there is nothing in it, and to let in fewer the doorman
// would have to understand what a page says.
const away = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Access-Control-Allow-Origin: *\r\n" +
	"Cache-Control: no-store\r\n" +
	"Connection: close\r\n" +
	"Content-Length: 16\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"X-Content-Type-Options: nosniff\r\n" +
	"\r\n" +
	"no_user_session\n"

// turnAway answers once the request's head is there: browsers throw a connection away on which an answer comes before the question.
func turnAway(ctx context.Context, c *net.TCPConn) {
	c.SetDeadline(time.Now().Add(awayTime))
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	head := make([]byte, awayOctets)
	n := 0
	for n < len(head) && !bytes.Contains(head[:n], []byte("\r\n\r\n")) {
		m, err := c.Read(head[n:])
		if err != nil {
			return
		}
		n += m
	}
	if _, err := c.Write([]byte(away)); err != nil {
		return
	}
	// Closed with octets unread, the connection would be reset and the answer lost.
	c.CloseWrite()
	for n = 0; n < awayOctets; {
		m, err := c.Read(head)
		if err != nil {
			return
		}
		n += m
	}
}
