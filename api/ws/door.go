// Package ws is the door: the one port of the machine on which pages reach the agent. Everything that can be refused before a page is
// heard is refused here, with one and the same short answer.
package ws

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/perosign/pero/api"
)

// Config of a door.
type Config struct {
	Agent api.Agent
	// Granted says whether the person let an origin in: it gets more connections, and no limit of messages. nil: none.
	Granted func(origin string) bool
	// User gives the OS user who owns the other end of a connection (its remote address), or refuses. nil: OwnUser.
	User func(local, remote netip.AddrPort) (string, error)
	// Say gives the words for the errors that no Agent made; see api.Options.
	Say func(r api.Reason, member string) string
	// TLS has connections answered that begin it; nil: they are closed.
	TLS *tls.Config
	Log *slog.Logger // nil: none
}

// The times of HTTP. Header octets: net/http adds 4096 to its limit.
const (
	headerTime   = 5 * time.Second
	headerOctets = 8<<10 - 4096
	idleTime     = 10 * time.Second
	grantKept    = 5 * time.Second // for so long a connection believes that its origin is granted
	maxRefused   = 64              // messages over the rate before the connection is closed
)

// Serve answers on l until ctx ends; then all connections are closed, and it returns nil when their requests have ended. l is a loopback
// port, or brings connections that were made to one.
func Serve(ctx context.Context, l net.Listener, c Config) error {
	if at, ok := l.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		return fmt.Errorf("serve on %s: not an address of this machine alone", l.Addr())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := newDoor(ctx, c)
	s := &http.Server{Handler: d, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeDeadline,
		IdleTimeout: idleTime, MaxHeaderBytes: headerOctets, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true}
	if c.TLS != nil {
		l = either{l, c.TLS}
	}
	closed := context.AfterFunc(ctx, func() { s.Close() })
	err := s.Serve(l)
	stop()
	if closed() {
		s.Close()
	}
	d.drain()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// door is the one handler of the port: there is no route beside it.
type door struct {
	ctx      context.Context
	config   Config
	log      *slog.Logger
	limits   *limits
	upgrader websocket.Upgrader
	last     atomic.Uint64 // the number of a connection

	mu     sync.Mutex
	closed bool
	open   sync.WaitGroup
}

func newDoor(ctx context.Context, c Config) *door {
	if c.User == nil {
		c.User = OwnUser
	}
	if c.Granted == nil {
		c.Granted = func(string) bool { return false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	d := &door{ctx: ctx, config: c, log: c.Log, limits: newLimits()}
	d.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeDeadline,
		ReadBufferSize:   4 << 10, // a large message is read past it
		WriteBufferPool:  &sync.Pool{},
		WriteBufferSize:  4 << 10,
		Subprotocols:     []string{Protocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // the gate did
		Error:            func(w http.ResponseWriter, r *http.Request, _ int, err error) { d.refuse(w, r, err) },
	}
	return d
}

// routes are what can be asked for; each is reached through the gate alone.
var routes = map[string]func(d *door, w http.ResponseWriter, r *http.Request, who origin){
	"/v1":      (*door).connect,
	"/v1/ping": (*door).ping,
}

// ServeHTTP is the gate: host, method and path, origin, user. The limits follow where a connection is made.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, err := d.gate(r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	routes[r.URL.Path](d, w, r, who)
}

func (d *door) gate(r *http.Request) (origin, error) {
	var who origin
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return who, errors.New("local address unknown")
	}
	here, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return who, fmt.Errorf("local address: %w", err)
	}
	there, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return who, fmt.Errorf("remote address: %w", err)
	}
	if !here.Addr().IsLoopback() || !there.Addr().IsLoopback() {
		return who, errors.New("not a connection within this machine")
	}
	if !names(r.Host, here.Port()) {
		return who, errors.New("host is not this machine")
	}
	if routes[r.URL.Path] == nil || r.URL.RawQuery != "" || r.URL.IsAbs() || r.RequestURI != r.URL.Path {
		return who, errors.New("no such address")
	}
	if r.Method != http.MethodGet {
		return who, errors.New("method is not GET")
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		return who, errors.New("a body")
	}
	if n := len(r.Header["Origin"]); n != 1 {
		return who, fmt.Errorf("%d origins", n)
	}
	var ok bool
	if who.origin, ok = parseOrigin(r.Header["Origin"][0]); !ok {
		return who, errors.New("origin is neither https nor of this machine")
	}
	who.user, err = d.config.User(here, there)
	return who, err
}

// names tells whether host is one of the three names of a port of this machine.
func names(host string, port uint16) bool {
	name, ok := strings.CutSuffix(host, fmt.Sprintf(":%d", port))
	return ok && (name == "127.0.0.1" || name == "[::1]" || name == "localhost")
}

// refuse is the one answer to everything that is not let in: nothing in it tells which rule it broke.
func (d *door) refuse(w http.ResponseWriter, r *http.Request, why error) {
	d.log.Info("refused at the door", "reason", why.Error(), "remote", r.RemoteAddr)
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusForbidden)
	w.Write([]byte("refused\n"))
}

// ping says that the agent is there, and lets a browser ask for its permission: some do so for a fetch alone.
func (d *door) ping(w http.ResponseWriter, r *http.Request, who origin) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	h.Set("Vary", "Origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// connect makes a connection of the request and serves it.
func (d *door) connect(w http.ResponseWriter, r *http.Request, who origin) {
	if !offers(r, Protocol) {
		d.refuse(w, r, errors.New("subprotocol is not "+Protocol))
		return
	}
	if !d.limits.enter(who, d.config.Granted(who.origin)) {
		d.refuse(w, r, errors.New("too many connections"))
		return
	}
	defer d.limits.leave(who)
	if !d.begin() {
		d.refuse(w, r, errors.New("the agent is ending"))
		return
	}
	defer d.open.Done()
	ws, err := d.upgrader.Upgrade(w, r, nil)
	if err != nil {
		d.log.Info("upgrade failed", "error", err)
		return
	}
	c := serverConn(ws, firstMessage)
	defer c.Close()
	number := d.last.Add(1)
	d.log.Info("page connected", "origin", who.origin, "connection", number)
	err = api.Serve(d.ctx, c, d.config.Agent, api.Caller{Origin: who.origin, User: who.user, Conn: number},
		api.Options{Allow: d.allow(who, c), Say: d.config.Say, Log: d.log})
	d.log.Info("page left", "origin", who.origin, "connection", number, "reason", fmt.Sprint(err))
}

// begin counts a connection in, unless the door is closing.
func (d *door) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.open.Add(1)
	return true
}

// drain lets no more connections begin and waits for the end of those that are open.
func (d *door) drain() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.open.Wait()
}

// allow holds an origin that the person has not let in to its rate of messages.
func (d *door) allow(who origin, c *conn) func() bool {
	var until time.Time
	refused := 0
	return func() bool {
		now := time.Now()
		if now.Before(until) {
			return true
		}
		if d.config.Granted(who.origin) {
			until = now.Add(grantKept)
			return true
		}
		if d.limits.message(who) {
			return true
		}
		if refused++; refused >= maxRefused {
			c.closeWith(websocket.ClosePolicyViolation, "too many messages")
		}
		return false
	}
}

func offers(r *http.Request, protocol string) bool {
	for _, h := range r.Header["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(h, ",") {
			if strings.TrimSpace(p) == protocol {
				return true
			}
		}
	}
	return false
}
