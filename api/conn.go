package api

// Kind is the kind of a message.
type Kind int

// Kinds.
const (
	Text Kind = iota + 1
	Binary
)

// Conn carries whole messages in both directions: a WebSocket, or a pair of pipes in a test.
type Conn interface {
	// ReadMessage gives the next message; its octets are valid until the next call. Of a text message longer than MaxFrame
	// it may give only the beginning, MaxFrame+1 octets at least.
	ReadMessage() (Kind, []byte, error)
	// WriteMessage is not called twice at the same time. It keeps no octets.
	WriteMessage(Kind, []byte) error
	// Close ends both, from any goroutine.
	Close() error
}
