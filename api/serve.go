package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Bounds of one connection.
const (
	maxInFlight = 8 // requests being answered; request.cancel and documents.sync do not count
	maxListens  = 8 // subscriptions
)

// Options of Serve.
type Options struct {
	// Allow is asked before each request; false refuses it with rate_limited. nil allows all.
	Allow func() bool
	// Say gives the words for an error that has none of its own, in the language of the agent. nil speaks English.
	Say func(r Reason, member string) string
	Log *slog.Logger // nil logs nothing. Never told what a page sent
	// Extra are requests beside the protocol's. nil for a page.
	Extra []Extra
}

// Serve answers the requests of one connection until it or ctx ends, and closes it. A request dies with the connection: its context is
// cancelled, and Serve returns when all of them have ended. The error says why the connection ended; io.EOF when the page left.
func Serve(ctx context.Context, conn Conn, agent Agent, caller Caller, o Options) error {
	if o.Say == nil {
		o.Say = say
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, end := context.WithCancelCause(ctx)
	s := &session{conn: conn, agent: agent, caller: caller, options: o, ctx: ctx, end: end,
		requests: map[RequestID]context.CancelFunc{}, uploads: map[uint32]*upload{}}
	closed := context.AfterFunc(ctx, func() { conn.Close() })
	end(s.read())
	s.running.Wait()
	agent.Disconnected(caller)
	if closed() {
		conn.Close()
	}
	return context.Cause(ctx)
}

// session is one connection.
type session struct {
	conn    Conn
	agent   Agent
	caller  Caller
	options Options
	ctx     context.Context // of the connection
	end     context.CancelCauseFunc
	running sync.WaitGroup

	writing sync.Mutex // one message at a time

	mu       sync.Mutex
	requests map[RequestID]context.CancelFunc
	uploads  map[uint32]*upload
	listens  int // subscriptions: they last as long as the connection
}

func (s *session) read() error {
	for {
		kind, data, err := s.conn.ReadMessage()
		if err != nil {
			return err
		}
		if kind == Binary {
			s.receive(data)
		} else {
			s.begin(data)
		}
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
	}
}

// begin reads a request and starts it.
func (s *session) begin(frame []byte) {
	r, bad := parseRequest(frame)
	if s.options.Allow != nil && !s.options.Allow() {
		s.fail(r.ID, &Error{Reason: RateLimited})
		return
	}
	if bad != nil {
		bad.Message = s.options.Say(bad.Data.Reason, bad.Data.Member)
		s.send(response{ID: r.ID, Error: bad})
		return
	}
	m, ok := s.options.find(r.Method)
	if !ok {
		s.fail(r.ID, &Error{Reason: UnknownMethod})
		return
	}
	do, refused := m.read(r.Params)
	if refused != nil {
		s.fail(r.ID, refused)
		return
	}
	if r.Method == cancelRequest.name || r.Method == syncDocument.name { // in the order of the frames
		s.finish(s.ctx, r, do)
		return
	}
	ctx, cancel := context.WithCancel(WithProgress(s.ctx, s.progress(r.ID)))
	s.mu.Lock()
	_, twice := s.requests[r.ID]
	full := len(s.requests) >= maxInFlight
	if !twice && !full {
		s.requests[r.ID] = cancel
	}
	s.mu.Unlock()
	if twice || full {
		cancel()
		refused = &Error{Reason: Busy}
		if twice {
			refused = &Error{Reason: BadRequest, Member: "id"}
		}
		s.fail(r.ID, refused)
		return
	}
	s.running.Go(func() {
		defer cancel()
		s.finish(ctx, r, func(s *session, ctx context.Context) (any, error) {
			defer func() {
				s.mu.Lock()
				delete(s.requests, r.ID)
				s.mu.Unlock()
			}()
			return do(s, ctx)
		})
	})
}

// finish does a request and answers it.
func (s *session) finish(ctx context.Context, r request, do work) {
	result, err := s.do(ctx, r.Method, do)
	if s.ctx.Err() != nil {
		return
	}
	if err != nil {
		s.fail(r.ID, err)
		return
	}
	v, err := json.Marshal(result, strict)
	if err != nil {
		s.fail(r.ID, fmt.Errorf("write the answer to %s: %w", r.Method, err))
		return
	}
	s.send(response{ID: r.ID, Result: v})
}

// do keeps a mistake in one request from ending the others.
func (s *session) do(ctx context.Context, name string, do work) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.options.Log.Error("request failed", "method", name, "panic", p, "stack", string(debug.Stack()))
			err = &Error{Reason: Internal}
		}
	}()
	return do(s, ctx)
}

func (s *session) fail(id RequestID, err error) {
	e := s.toError(err)
	s.send(response{ID: id, Error: &rpcError{Code: e.code(), Message: e.Message, Data: errorData{e.Reason, e.Member, e.Outcome}}})
}

// toError is the page's view of any error.
func (s *session) toError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		e = &Error{Reason: e.Reason, Message: e.Message, Member: e.Member, Outcome: e.Outcome}
	case errors.Is(err, context.Canceled):
		e = &Error{Reason: UserCancelled}
	case errors.Is(err, context.DeadlineExceeded):
		e = &Error{Reason: TimedOut}
	default:
		e = &Error{Reason: Internal}
	}
	if e.Reason == Internal {
		s.options.Log.Error("request failed", "error", err)
	}
	if e.Message == "" {
		e.Message = s.options.Say(e.Reason, e.Member)
	}
	return e
}

func (s *session) send(message any) {
	switch m := message.(type) {
	case response:
		m.JSONRPC = "2.0"
		message = m
	case notification:
		m.JSONRPC = "2.0"
		message = m
	}
	b, err := json.Marshal(message, strict)
	if err == nil {
		err = s.write(Text, b)
	}
	if err != nil {
		s.end(err)
	}
}

func (s *session) write(k Kind, b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.conn.WriteMessage(k, b)
}

// progress reports at most twenty times a second within one step, and always its end.
func (s *session) progress(id RequestID) func(Progress) {
	var mu sync.Mutex
	var last Progress
	var at time.Time
	return func(p Progress) {
		mu.Lock()
		if p.Step == last.Step && p.Done != p.Total && time.Since(at) < 50*time.Millisecond {
			mu.Unlock()
			return
		}
		last, at = p, time.Now()
		mu.Unlock()
		s.send(notification{Method: RequestProgress, Params: ProgressParams{id, p}})
	}
}

func (s *session) subscribe(_ context.Context, p SubscribeParams) (none, error) {
	s.mu.Lock()
	full := s.listens >= maxListens
	if !full {
		s.listens++
	}
	s.mu.Unlock()
	if full {
		return none{}, &Error{Reason: Busy}
	}
	err := s.agent.Subscribe(s.ctx, s.caller, p, func(n Notification) {
		if s.ctx.Err() == nil {
			s.send(notification{Method: n.Method, Params: n.Params})
		}
	})
	if err != nil {
		s.mu.Lock()
		s.listens--
		s.mu.Unlock()
	}
	return none{}, err
}

func (s *session) cancelRequest(_ context.Context, p CancelParams) (none, error) {
	s.mu.Lock()
	cancel := s.requests[p.ID]
	s.mu.Unlock()
	if cancel != nil { // else it is answered already
		cancel()
	}
	return none{}, nil
}

// say is what Serve tells when nobody gave it words.
func say(r Reason, member string) string {
	switch r {
	case BadRequest:
		if member != "" {
			return fmt.Sprintf("The site sent a request that Pero does not accept: %q is wrong. This is a mistake of the site; tell its support.", member)
		}
		return "The site sent a request that Pero does not accept. This is a mistake of the site; tell its support."
	case UnknownMethod:
		return "The site asked for something this version of Pero cannot do. Update Pero, or tell the site's support."
	case AlgorithmUnsupported:
		return "The site asked for an algorithm that Pero does not use, because it is unknown or no longer safe. Tell the site's support."
	case Busy:
		return "Pero is busy with other requests of this site. Finish them, then try again."
	case RateLimited:
		return "The site asks too often. Wait a little, then try again."
	case UserCancelled:
		return "Cancelled."
	case TimedOut:
		return "Nobody answered in time. Try again."
	}
	return "Something went wrong in Pero. Try again; if it stays, look into Pero's log."
}
