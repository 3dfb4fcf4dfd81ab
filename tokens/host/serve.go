package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

const (
	signers       = 16                     // signatures in progress in the module at once
	lastLogout    = 700 * time.Millisecond // for the logout when the parent is gone
	lastAct       = 10 * time.Second       // for what the library does at that moment
	readerOctet   = 16 << 10
	progressEvery = 100 * time.Millisecond
)

// Serve is the main loop of a child: it reads requests from in until its end, which is also how a child learns that its parent is gone.
// open makes the module and the window from the Options in the first frame. When in and out are the process's standard input and output
// they are moved elsewhere first, and what a library prints goes to the standard error, where the parent keeps it for the log.
func Serve(ctx context.Context, in io.Reader, out io.Writer, open func(Options) (tokens.Module, Window, error)) error {
	if err := keepSecrets(); err != nil {
		return fmt.Errorf("protect the process's memory: %w", err)
	}
	if err := limitMemory(); err != nil {
		return fmt.Errorf("limit the process's memory: %w", err)
	}
	if err := cutNetwork(); err != nil {
		return fmt.Errorf("keep the process from the network: %w", err)
	}
	if in == io.Reader(os.Stdin) && out == io.Writer(os.Stdout) {
		moved, err := moveStandardStreams()
		if err != nil {
			return fmt.Errorf("keep the pipe from the library: %w", err)
		}
		in, out = moved.in, moved.out
	}
	reader := bufio.NewReaderSize(in, readerOctet)
	_, k, body, err := readFrame(reader)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	d := decoder{b: body}
	o := decodeOptions(&d)
	if err := d.done(); err != nil || k != kindHello {
		return fmt.Errorf("first frame: %w", errFrame)
	}
	module, window, err := open(o)
	if err != nil {
		module = unopened{err}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c := &server{
		out:    &frameWriter{out: out},
		store:  &attended{Module: module, window: patient{window, o.limits.person}},
		cancel: map[uint32]context.CancelFunc{}, free: make(chan struct{}, signers),
	}
	err = c.serve(ctx, reader)
	stop()
	c.hangUp()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// server is one child. It has at most one session.
type server struct {
	out   *frameWriter
	store *attended
	free  chan struct{}

	mu      sync.Mutex
	cancel  map[uint32]context.CancelFunc
	session tokens.Session
	working sync.WaitGroup
}

func (c *server) serve(ctx context.Context, in *bufio.Reader) error {
	for {
		number, k, body, err := readFrame(in)
		if err != nil {
			return err
		}
		switch k {
		case kindPing:
			if err := c.out.write(number, kindDone, nil); err != nil {
				return err
			}
		case kindCancel:
			c.mu.Lock()
			if stop := c.cancel[number]; stop != nil {
				stop()
			}
			c.mu.Unlock()
		default:
			requestCtx, stop := context.WithCancel(ctx)
			c.mu.Lock()
			c.cancel[number] = stop
			c.mu.Unlock()
			c.working.Go(func() { c.answer(requestCtx, number, k, body) })
		}
	}
}

// seldom calls f at most once in a while. It is for one goroutine.
func seldom(while time.Duration, f func()) func() {
	last := time.Now()
	return func() {
		if now := time.Now(); now.Sub(last) >= while {
			last = now
			f()
		}
	}
}

func (c *server) answer(ctx context.Context, number uint32, k kind, body []byte) {
	tell := func(k kind, body []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cancel[number] == nil { // answered; a library goes on for a while with what was cancelled
			return
		}
		_ = c.out.write(number, k, body)
	}
	waiting := func(person bool) {
		var e encoder
		e.truth(person)
		tell(kindWaiting, e.b)
	}
	ctx = withPerson(ctx, waiting)
	ctx = withLogin(ctx, func() {
		tell(kindLogin, nil)
		c.out.flush() // the library may end this process the next moment
	})
	if k == kindTokens || k == kindObjects {
		ctx = tokens.WithProgress(ctx, seldom(progressEvery, func() { waiting(false) }))
	}
	var e encoder
	d := decoder{b: body}
	err := c.do(ctx, number, k, &d, &e)
	if err == nil && len(e.b) > maxFrame-frameHeader {
		err = fmt.Errorf("answer of %d octets: %w", len(e.b), errFrame)
	}
	c.mu.Lock()
	stop := c.cancel[number]
	delete(c.cancel, number)
	c.mu.Unlock()
	if k != kindOpen || err != nil {
		stop() // the ctx of a login may be what its session lives by
	}
	if err != nil {
		_ = c.out.write(number, kindFailed, encodeFailure(err))
		return
	}
	_ = c.out.write(number, kindDone, e.b)
}

// login keeps the session, unless the request was cancelled meanwhile: nothing is signed later.
func (c *server) login(ctx context.Context, s tokens.Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return errors.New("this process has its login already")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.session = s
	return nil
}

func (c *server) current() tokens.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// hangUp closes the window and logs out when nobody is there any more to ask for it. What changes a PIN or a token at that moment is waited for: the parent
// knows when that takes too long.
func (c *server) hangUp() {
	finished(c.working.Wait, lastAct)
	if s := c.current(); s != nil {
		finished(func() { _ = s.Close() }, lastLogout)
	}
}

// finished calls f and returns when it does, or after a while.
func finished(f func(), while time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(while):
	}
}

// unopened is a module that could not be opened: each call says why.
type unopened struct{ err error }

func (u unopened) Tokens(context.Context) ([]tokens.Token, error) { return nil, u.err }
func (u unopened) Objects(context.Context, tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	return nil, nil, u.err
}
func (u unopened) Watch(ctx context.Context) <-chan tokens.Event {
	c := make(chan tokens.Event)
	go func() {
		<-ctx.Done()
		close(c)
	}()
	return c
}
func (u unopened) Login(context.Context, tokens.ID, *tokens.PIN, func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	return nil, u.err
}
