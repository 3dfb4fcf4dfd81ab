package api

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Client is an Agent at the other end of a connection. The Caller of its methods is not sent: who asks is decided by the door.
type Client struct {
	conn    Conn
	gone    chan struct{} // closed when the connection has ended
	writing sync.Mutex

	mu        sync.Mutex
	err       error // why the connection ended
	last      int64
	waiting   map[RequestID]*call
	downloads map[uint32]*download
	notify    map[int64]func(Notification)
}

type call struct {
	progress func(Progress)
	answer   chan response // holds one
}

// download passes on what is fetched, until the one who fetches has gone or cannot take more.
type download struct {
	mu  sync.Mutex
	w   io.Writer // nil when nobody takes it any more
	err error
}

func (d *download) write(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w == nil || d.err != nil {
		return
	}
	_, d.err = d.w.Write(p)
}

func (d *download) end() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.w = nil
	return d.err
}

// NewClient speaks the protocol over conn, which it closes with Close.
func NewClient(conn Conn) *Client {
	c := &Client{conn: conn, gone: make(chan struct{}), waiting: map[RequestID]*call{}, downloads: map[uint32]*download{},
		notify: map[int64]func(Notification){}}
	go c.read()
	return c
}

// Close ends the connection and with it all requests.
func (c *Client) Close() error { return c.conn.Close() }

// Gone is closed when the connection has ended.
func (c *Client) Gone() <-chan struct{} { return c.gone }

func (c *Client) read() {
	err := c.readAll()
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	c.conn.Close()
	close(c.gone)
}

// incoming is any text frame of the agent.
type incoming struct {
	JSONRPC string         `json:"jsonrpc"`
	ID      RequestID      `json:"id"`
	Result  jsontext.Value `json:"result"`
	Error   *rpcError      `json:"error"`
	Method  string         `json:"method"`
	Params  jsontext.Value `json:"params"`
}

func (c *Client) readAll() error {
	for {
		kind, data, err := c.conn.ReadMessage()
		if err != nil {
			return err
		}
		if kind == Binary {
			err = c.receive(data)
		} else {
			err = c.take(data)
		}
		if err != nil {
			return err
		}
	}
}

func (c *Client) take(frame []byte) error {
	var in incoming
	if err := json.Unmarshal(frame, &in, strict); err != nil {
		return fmt.Errorf("read the agent's frame: %w", err)
	}
	if in.Method != "" {
		return c.notified(in)
	}
	if in.ID == "" { // no request of ours is meant: nothing can be answered any more
		if in.Error != nil {
			return in.Error.toError()
		}
		return errors.New("the agent sent an answer without an id")
	}
	c.mu.Lock()
	w := c.waiting[in.ID]
	delete(c.waiting, in.ID)
	c.mu.Unlock()
	if w != nil {
		w.answer <- response{Result: in.Result.Clone(), Error: in.Error}
	}
	return nil
}

func (c *Client) notified(in incoming) error {
	n := Notification{Method: in.Method}
	switch in.Method {
	case RequestProgress:
		var p ProgressParams
		if err := json.Unmarshal(in.Params, &p, strict); err != nil {
			return fmt.Errorf("read %s: %w", in.Method, err)
		}
		c.mu.Lock()
		w := c.waiting[p.ID]
		c.mu.Unlock()
		if w != nil && w.progress != nil {
			w.progress(p.Progress)
		}
		return nil
	case TokensChanged:
		var p TokensResult
		if err := json.Unmarshal(in.Params, &p, strict); err != nil {
			return fmt.Errorf("read %s: %w", in.Method, err)
		}
		n.Params = p
	case CertificatesChanged:
		n.Params = struct{}{}
	default: // of a later version
		return nil
	}
	c.mu.Lock()
	var all []func(Notification)
	for _, f := range c.notify {
		all = append(all, f)
	}
	c.mu.Unlock()
	for _, f := range all {
		f(n)
	}
	return nil
}

func (c *Client) receive(frame []byte) error {
	if len(frame) < 4 {
		return errors.New("the agent sent a binary frame without a number")
	}
	c.mu.Lock()
	d := c.downloads[binary.BigEndian.Uint32(frame)]
	c.mu.Unlock()
	if d != nil { // else it was given up
		d.write(frame[4:])
	}
	return nil
}

func (e *rpcError) toError() *Error {
	return &Error{Reason: e.Data.Reason, Message: e.Message, Member: e.Data.Member, Outcome: e.Data.Outcome}
}

// ask sends a request and waits for its answer; when ctx ends first, the request is cancelled.
func ask[P checked, R any](ctx context.Context, c *Client, r route[P, R], p P) (R, error) {
	var result R
	params, err := json.Marshal(p, strict)
	if err != nil {
		return result, fmt.Errorf("write %s: %w", r.name, err)
	}
	w := &call{answer: make(chan response, 1)}
	w.progress, _ = ctx.Value(progressKey{}).(func(Progress))
	c.mu.Lock()
	c.last++
	id := RequestID(strconv.FormatInt(c.last, 10))
	c.waiting[id] = w
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	if err := c.send(request{ID: id, Method: r.name, Params: params}); err != nil {
		c.conn.Close() // no message can follow one that was cut
		<-c.gone
		return result, errors.Join(fmt.Errorf("send %s: %w", r.name, err), c.ended())
	}
	var a response
	select {
	case a = <-w.answer:
	case <-ctx.Done():
		c.mu.Lock()
		c.last++
		next := RequestID(strconv.FormatInt(c.last, 10))
		c.mu.Unlock()
		params, err := json.Marshal(CancelParams{id}, strict)
		if err == nil {
			err = c.send(request{ID: next, Method: cancelRequest.name, Params: params})
		}
		return result, errors.Join(context.Cause(ctx), err)
	case <-c.gone:
		select {
		case a = <-w.answer: // the last thing said
		default:
			return result, fmt.Errorf("%s: %w", r.name, c.ended())
		}
	}
	if a.Error != nil {
		return result, a.Error.toError()
	}
	if err := json.Unmarshal(a.Result, &result, strict); err != nil {
		return result, fmt.Errorf("read the answer to %s: %w", r.name, err)
	}
	return result, nil
}

func (c *Client) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("the connection to the agent ended: %w", c.err)
}

func (c *Client) send(r request) error {
	r.JSONRPC = "2.0"
	b, err := json.Marshal(r, strict)
	if err != nil {
		return err
	}
	return c.write(Text, b)
}

func (c *Client) write(k Kind, b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.conn.WriteMessage(k, b)
}
