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

// refresher is a Module that may remember what it read of a token.
type refresher interface {
	Refresh(ctx context.Context) error
}

var errNoSession = errors.New("nobody is logged in here")

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
	waiting := func(person bool) {
		var e encoder
		e.truth(person)
		_ = c.out.write(number, kindWaiting, e.b)
	}
	ctx = withPerson(ctx, waiting)
	ctx = withLogin(ctx, func() {
		_ = c.out.write(number, kindLogin, nil)
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

// do reads the request, acts and writes the result: the shapes that client.go mirrors.
func (c *server) do(ctx context.Context, number uint32, k kind, d *decoder, e *encoder) error {
	switch k {
	case kindTokens:
		list, err := c.store.Tokens(ctx)
		encodeList(e, list, encodeToken)
		return errors.Join(err, d.done())

	case kindObjects:
		id := tokens.ID(d.text())
		if err := d.done(); err != nil {
			return err
		}
		keys, certificates, err := c.store.Objects(ctx, id)
		encodeList(e, keys, encodeKey)
		encodeList(e, certificates, encodeCertificate)
		return err

	case kindWatch:
		if err := d.done(); err != nil {
			return err
		}
		for range c.store.Watch(ctx) {
			if err := c.out.write(number, kindEvent, nil); err != nil {
				return err
			}
		}
		return nil

	case kindRefresh:
		if err := d.done(); err != nil {
			return err
		}
		if m, ok := c.store.Module.(refresher); ok {
			return m.Refresh(ctx)
		}
		return nil

	case kindExpect:
		id := tokens.ID(d.text())
		if err := d.done(); err != nil {
			return err
		}
		c.store.expect(ctx, id)
		return nil

	case kindOpen:
		id, p := tokens.ID(d.text()), decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		s, err := c.store.Open(ctx, id, p)
		if err != nil {
			return err
		}
		if err := c.login(ctx, s); err != nil {
			return errors.Join(err, s.Close())
		}
		return nil

	case kindBackup:
		id, p := tokens.ID(d.text()), decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		a, err := c.archive()
		if err != nil {
			return err
		}
		path, err := a.Backup(ctx, id, p)
		e.text(path)
		return err

	case kindManage:
		id, p := tokens.ID(d.text()), decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		token, err := c.manage(ctx, id, p)
		encodeToken(e, token)
		return err

	case kindRestore:
		p := decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		a, err := c.archive()
		if err != nil {
			return err
		}
		token, err := a.Restore(ctx, p)
		encodeToken(e, token)
		return err
	}
	s := c.current()
	if s == nil {
		return errNoSession
	}
	return c.doSession(ctx, s, k, d, e)
}

func (c *server) doSession(ctx context.Context, s tokens.Session, k kind, d *decoder, e *encoder) error {
	switch k {
	case kindSign:
		r := decodeSign(d)
		if err := d.done(); err != nil {
			return err
		}
		select {
		case c.free <- struct{}{}:
			defer func() { <-c.free }()
		case <-ctx.Done():
			return ctx.Err()
		}
		signature, err := s.Sign(ctx, r.key, r.alg, r.digest)
		e.octets(signature)
		return err

	case kindGenerate:
		spec := tokens.KeySpec{ID: tokens.KeyID(d.text()), Algorithm: tokens.KeyAlgorithm(d.text()), Label: d.text()}
		if err := d.done(); err != nil {
			return err
		}
		key, err := s.Generate(ctx, spec)
		encodeKey(e, key)
		return err

	case kindInstall:
		key := tokens.KeyID(d.text())
		chain := decodeList(d, (*decoder).octets)
		if err := d.done(); err != nil {
			return err
		}
		return s.Install(ctx, key, chain)

	case kindDelete:
		key := tokens.KeyID(d.text())
		if err := d.done(); err != nil {
			return err
		}
		return s.Delete(ctx, key)

	case kindDeleteCertificate:
		der := d.octets()
		if err := d.done(); err != nil {
			return err
		}
		return s.DeleteCertificate(ctx, der)

	case kindKeys:
		keys, err := s.Keys(ctx)
		encodeList(e, keys, encodeKey)
		return errors.Join(err, d.done())

	case kindClose:
		c.mu.Lock()
		c.session = nil
		c.mu.Unlock()
		return errors.Join(s.Close(), d.done())
	}
	return fmt.Errorf("request of kind %d: %w", k, errFrame)
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

func (c *server) archive() (tokens.Archive, error) {
	files, ok := c.store.Module.(tokens.FileModule)
	if !ok {
		return nil, fmt.Errorf("a card cannot be copied: %w", tokens.ErrUnsupported)
	}
	return &attendedFiles{c.store, files}, nil
}

// manage is the act that the prompt names. Only Initialize has a token to give.
func (c *server) manage(ctx context.Context, id tokens.ID, p tokens.Prompt) (none tokens.Token, err error) {
	switch p.Act {
	case tokens.ActChangePIN:
		return none, c.store.ChangePIN(ctx, id, p)
	case tokens.ActResetPIN:
		return none, c.store.ResetPIN(ctx, id, p)
	case tokens.ActInitialize:
		return c.store.Initialize(ctx, id, p)
	case tokens.ActImport:
		return none, c.store.Import(ctx, id, p)
	}
	return none, fmt.Errorf("act %q: %w", p.Act, errFrame)
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
