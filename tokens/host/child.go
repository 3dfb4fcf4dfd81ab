package host

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// child is one process that runs Serve. It ends by stop, by itself, or because a call hung; then every call fails with
// tokens.ErrModuleCrashed, beside it tokens.ErrOutcomeUnknown where the token may have done what was asked, and gone is closed.
type child struct {
	limits  limits
	log     *slog.Logger
	command *exec.Cmd
	in      io.WriteCloser // of the child
	out     *frameWriter
	gone    chan struct{} // the process has ended and was waited for
	crashed func(error)   // called at most once, when it ends without having been asked to
	ended   func()        // called once

	mu       sync.Mutex
	calls    map[uint32]*call
	last     uint32 // number of the last call
	loaded   bool   // a call has been answered
	stopping bool   // we ended it
	reaped   bool   // it was waited for
	failed   bool   // no more answers will come
	cause    error  // why, for everybody who asks
}

// call is one request without its answer yet.
type call struct {
	answer   chan answer // one
	limit    time.Duration
	deadline time.Time // zero: none
	latest   time.Time // that progress can move the deadline to; zero: there is none to tell of
	event    func()    // of a watch
	person   bool      // a person is being waited for
	windows  int       // that were opened
	logins   int       // secrets put to the token
	acts     bool      // the token may be at it, or just have been: without an answer nobody knows whether a PIN was counted or something written
}

type answer struct {
	body []byte
	err  error
}

// unanswered is err with what is not known and the secrets that the token refused, or may have: nobody will tell.
func (w *call) unanswered(err error) error {
	if w.acts {
		err = fmt.Errorf("%w: %w", err, tokens.ErrOutcomeUnknown)
	}
	if w.logins > 0 {
		return &tokens.Refused{Times: w.logins, Err: err}
	}
	return err
}

// mostWindows is how many windows one call may open, and logins it may make: a library in the child must not keep the only place at the window for ever.
const mostWindows = 64

// start runs a child.
func start(o Options, crashed func(error), ended func()) (*child, error) {
	c := &child{limits: o.limits, log: o.Log, command: exec.Command(o.Command[0], o.Command[1:]...),
		gone: make(chan struct{}), crashed: crashed, ended: ended, calls: map[uint32]*call{}}
	c.command.Env = environment()
	c.command.Dir = "/"
	c.command.SysProcAttr = attributes()
	in, err := c.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	printed, err := c.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Command[0], err)
	}
	c.in, c.out = in, &frameWriter{out: in}
	c.log = c.log.With("pid", c.command.Process.Pid)
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		logPrinted(c.log, printed)
	}()
	var e encoder
	o.encode(&e)
	_ = c.out.write(0, kindHello, e.b) // a child that died already is seen by read
	go func() {
		c.fail(c.read(bufio.NewReaderSize(out, readerOctet)))
		c.end(logged)
	}()
	go c.watchdog()
	return c, nil
}

// read takes answers until the pipe ends or the child sends what it should not.
func (c *child) read(in *bufio.Reader) error {
	for {
		number, k, body, err := readFrame(in)
		if err != nil {
			return err
		}
		if err := c.take(number, k, body); err != nil {
			return err
		}
	}
}

func (c *child) take(number uint32, k kind, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, known := c.calls[number]
	if !known {
		return fmt.Errorf("answer to request %d, which was not made: %w", number, errFrame)
	}
	switch k {
	case kindDone:
		c.loaded = true
		delete(c.calls, number)
		w.answer <- answer{body: body}
	case kindFailed:
		c.loaded = true
		err, malformed := decodeFailure(body)
		if malformed != nil {
			return malformed
		}
		delete(c.calls, number)
		w.answer <- answer{err: err}
	case kindEvent:
		if w.event == nil || len(body) > 0 {
			return fmt.Errorf("event for request %d: %w", number, errFrame)
		}
		w.event()
	case kindWaiting:
		d := decoder{b: body}
		person := d.truth()
		if err := d.done(); err != nil {
			return err
		}
		deadline := time.Now().Add(w.limit)
		switch {
		case person:
			if w.windows++; w.windows > mostWindows {
				return fmt.Errorf("%d windows in one call: %w", w.windows, errFrame)
			}
			w.acts = false                                              // a window follows the token's word on what was put to it before
			deadline = time.Now().Add(c.limits.person + c.limits.login) // the child ends its window by itself; this is for one that does not
		case !w.person && !w.latest.IsZero():
			if deadline.After(w.latest) {
				deadline = w.latest
			}
		case !w.person:
			return fmt.Errorf("waiting for nobody: %w", errFrame)
		}
		w.person, w.deadline = person, deadline
	case kindLogin:
		if len(body) > 0 {
			return fmt.Errorf("login with a body: %w", errFrame)
		}
		if w.acts, w.logins = true, w.logins+1; w.logins > mostWindows {
			return fmt.Errorf("%d logins in one call: %w", w.logins, errFrame)
		}
	default:
		return fmt.Errorf("frame of kind %d: %w", k, errFrame)
	}
	return nil
}

// call sends a request and waits for its answer. When ctx ends first the child is told, and is watched on until it has obeyed.
func (c *child) call(ctx context.Context, k kind, limit time.Duration, body []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	number, w, err := c.begin(k, limit, body, nil)
	if err != nil {
		return nil, err
	}
	select {
	case a := <-w.answer:
		return a.body, a.err
	case <-ctx.Done():
		_ = c.out.write(number, kindCancel, nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		return nil, w.unanswered(ctx.Err())
	}
}

func (c *child) begin(k kind, limit time.Duration, body []byte, event func()) (uint32, *call, error) {
	w := &call{answer: make(chan answer, 1), limit: limit, event: event, acts: k.acts()}
	c.mu.Lock()
	if c.cause != nil || c.stopping {
		defer c.mu.Unlock()
		return 0, nil, cmp.Or(c.cause, errStopped)
	}
	c.last++
	number := c.last
	if limit > 0 {
		w.deadline = time.Now().Add(limit)
		if !c.loaded {
			w.deadline = w.deadline.Add(c.limits.load)
		}
		if k == kindTokens || k == kindObjects {
			w.latest = w.deadline.Add(c.limits.generate)
		}
	}
	c.calls[number] = w
	c.mu.Unlock()
	if err := c.out.write(number, k, body); errors.Is(err, errFrame) {
		c.mu.Lock()
		delete(c.calls, number)
		c.mu.Unlock()
		return 0, nil, err
	} // another error says that the child is on its way out: what it still told is read before the call fails
	return number, w, nil
}

// watchdog kills a child whose call takes too long or that does not answer a ping.
func (c *child) watchdog() {
	tick := time.NewTicker(c.limits.tick)
	defer tick.Stop()
	var ping *call
	var pinged time.Time
	for {
		select {
		case <-c.gone:
			return
		case <-tick.C:
		}
		now := time.Now()
		c.mu.Lock()
		overdue := false
		for _, w := range c.calls {
			overdue = overdue || !w.deadline.IsZero() && now.After(w.deadline)
		}
		busy := len(c.calls) > 0
		c.mu.Unlock()
		if overdue {
			c.fail(errors.New("a call did not come back in time"))
			c.kill()
			continue
		}
		if ping != nil {
			select {
			case <-ping.answer:
				ping = nil
			default:
				continue
			}
		}
		if busy && now.Sub(pinged) > c.limits.silence/3 {
			pinged = now
			_, ping, _ = c.begin(kindPing, c.limits.silence, nil, nil)
		}
	}
}

// fail makes every call fail, these and later ones. A crash is noted before anybody can see it.
func (c *child) fail(err error) {
	c.mu.Lock()
	first, crashed := !c.failed, !c.stopping
	c.failed = true
	c.mu.Unlock()
	if !first {
		return
	}
	switch {
	case !crashed:
		err = errStopped
	case !errors.Is(err, tokens.ErrRemoved): // of a removal the library is not accused
		err = fmt.Errorf("%w: %w", tokens.ErrModuleCrashed, err)
		c.crashed(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cause = err
	for number, w := range c.calls {
		delete(c.calls, number)
		w.answer <- answer{err: w.unanswered(err)}
	}
}

var errStopped = errors.New("the token-host was ended")

// end clears up behind a child whose pipe has ended: it is on its way out, or it is to go.
func (c *child) end(logged <-chan struct{}) {
	c.kill() // with what the library or the window left behind
	c.in.Close()
	select {
	case <-logged:
	case <-time.After(c.limits.grace): // something that left the process group holds the pipe
	}
	c.mu.Lock()
	c.reaped = true // from here on the number may be another's
	c.mu.Unlock()
	_ = c.command.Wait()
	takeBackTerminal(c.command.Process.Pid)
	c.log.Info("token-host ended", "state", c.command.ProcessState.String())
	close(c.gone)
	c.ended()
}

// stop ends the child: it is asked to, and killed when it does not; one that changes a token just now has longer. It does not wait.
func (c *child) stop() {
	c.mu.Lock()
	c.stopping = true
	grace := c.limits.grace
	for _, w := range c.calls {
		if w.acts && !w.person {
			grace = max(grace, c.limits.close)
		}
	}
	c.mu.Unlock()
	c.in.Close()
	time.AfterFunc(grace, c.kill)
}

// kill ends the child and its whole process group.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		killGroup(c.command.Process)
	}
}

func (c *child) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause != nil
}
