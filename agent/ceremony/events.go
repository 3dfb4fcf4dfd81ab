package ceremony

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// settle is how long events are gathered before the tokens are listed again: one insertion makes several.
const settle = 50 * time.Millisecond

// hub tells every subscriber that tokens or certificates may have changed. The stores are watched only while somebody listens.
type hub struct {
	mu        sync.Mutex
	listeners map[*listener]bool
	stop      context.CancelFunc
}

// listener holds at most one pending word of each kind: one that lags loses nothing but duplicates.
type listener struct {
	tokens       chan struct{}
	certificates chan struct{}
}

// touch says that Pero itself changed something: the certificates, and perhaps the tokens.
func (h *hub) touch(tokensToo bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		poke(l.certificates)
		if tokensToo {
			poke(l.tokens)
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (h *hub) enter(stores []tokens.Store) *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &listener{make(chan struct{}, 1), make(chan struct{}, 1)}
	if h.listeners == nil {
		h.listeners = map[*listener]bool{}
	}
	h.listeners[l] = true
	if h.stop == nil {
		var ctx context.Context
		ctx, h.stop = context.WithCancel(context.Background())
		for _, s := range stores {
			go func() {
				for range s.Watch(ctx) {
					h.touch(true)
				}
			}()
		}
	}
	return l
}

func (h *hub) leave(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, l)
	if len(h.listeners) == 0 {
		h.stop()
		h.stop = nil
	}
}

// Subscribe implements api.Agent.
func (a *Agent) Subscribe(ctx context.Context, c api.Caller, p api.SubscribeParams, notify func(api.Notification)) (err error) {
	defer a.done(c, "events.subscribe", &err)
	if err := a.admit(c); err != nil {
		return err
	}
	var wantTokens, wantCertificates bool
	for _, e := range p.Events {
		switch e {
		case "tokens":
			wantTokens = true
		case "certificates":
			wantCertificates = true
		default:
			return wrong("events", "%q", e)
		}
	}
	if !wantTokens && !wantCertificates {
		return wrong("events", "none")
	}
	l := a.events.enter(a.stores)
	go func() {
		defer a.events.leave(l)
		var last *api.TokensResult // as told; nothing was told yet
		for {
			var moved bool
			select {
			case <-ctx.Done():
				return
			case <-l.tokens:
				moved = true
			case <-l.certificates:
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
			if a.admit(c) != nil {
				continue // the grant was taken back meanwhile
			}
			select {
			case <-l.tokens:
				moved = true
			default:
			}
			select {
			case <-l.certificates:
			default:
			}
			if moved && wantTokens {
				if now, err := a.tokens(ctx); err == nil && (last == nil || !reflect.DeepEqual(now, *last)) {
					last = &now
					notify(api.Notification{Method: "tokens.changed", Params: now})
				}
			}
			if wantCertificates {
				notify(api.Notification{Method: "certificates.changed", Params: struct{}{}})
			}
		}
	}()
	return nil
}
