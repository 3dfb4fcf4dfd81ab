package ws

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/perosign/pero/api"
)

// Protocol is the WebSocket subprotocol.
const Protocol = "pero.v1"

// Dial connects to an agent at addr, "127.0.0.1:14741", in the name of an origin.
func Dial(ctx context.Context, addr, origin string) (api.Conn, error) {
	d := websocket.Dialer{Subprotocols: []string{Protocol}, HandshakeTimeout: 10 * time.Second}
	c, answer, err := d.DialContext(ctx, "ws://"+addr+"/v1", http.Header{"Origin": {origin}})
	if err != nil {
		if answer != nil {
			return nil, fmt.Errorf("connect to the agent at %s as %s: refused with status %d: %w", addr, origin, answer.StatusCode, err)
		}
		return nil, fmt.Errorf("connect to the agent at %s: %w", addr, err)
	}
	return &conn{ws: c, limit: 64 << 20, small: make([]byte, smallBuffer)}, nil
}
