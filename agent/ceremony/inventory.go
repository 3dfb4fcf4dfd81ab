package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// carrier is a token and the store that offers it.
type carrier struct {
	store tokens.Store
	token tokens.Token
}

// holding is a certificate where it lies.
type holding struct {
	carrier
	certificate
	key       tokens.KeyID
	always    bool     // the key wants the PIN for every signature
	tokenHash bool     // the token makes the digest of what the key signs
	others    [][]byte // the other certificates of the same token: possible issuers
}

// places remembers where certificates and tokens were seen, so that a signature asks one token and not all of them, and a token that its
// module's crash took away is told from one that was pulled out. It is a hint, never an answer: when there is too much of it, as of a library that gives
// its tokens other names each time, it begins anew.
type places struct {
	mu     sync.Mutex
	seen   map[string]place
	stores map[tokens.ID]tokens.Store
}

const mostPlaces = 1 << 14

type place struct {
	store tokens.Store
	token tokens.ID
}

func (p *places) get(id string) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[id]
	return at, ok
}

func (p *places) put(h holding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= mostPlaces {
		p.seen = map[string]place{}
	}
	if _, known := p.seen[h.id]; !known || h.key != "" {
		p.seen[h.id] = place{h.store, h.token.ID}
	}
}

func (p *places) note(c carrier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stores == nil || len(p.stores) >= mostPlaces {
		p.stores = map[tokens.ID]tokens.Store{}
	}
	p.stores[c.token.ID] = c.store
}

// again looks once more for a token that was not listed: its module may have come back meanwhile. Else it says why the token is missing: the store that had it
// does not answer, another program has a card of that store for itself, or it is not here.
func (p *places) again(ctx context.Context, id tokens.ID) (carrier, error) {
	p.mu.Lock()
	store := p.stores[id]
	p.mu.Unlock()
	if store != nil {
		list, err := store.Tokens(ctx)
		if err != nil {
			return carrier{}, err
		}
		if i := slices.IndexFunc(list, func(t tokens.Token) bool { return t.ID == id }); i >= 0 {
			return carrier{store, list[i]}, nil
		}
		for _, t := range list {
			if t.State == tokens.Busy {
				return carrier{}, ready(t)
			}
		}
	}
	return carrier{}, fmt.Errorf("token %q: %w", id, tokens.ErrNoToken)
}

// carriers lists the tokens of every store.
func (a *Agent) carriers(ctx context.Context) ([]carrier, error) {
	return ask(ctx, a, func(at carrier) ([]carrier, error) { return []carrier{at}, nil })
}

// ask asks every store for its tokens, and f about each token, the stores side by side: no store waits for another, and the whole for none
// longer than that store's own deadlines. A store or a token that fails hides nothing of the others; only when all stores fail is it an error.
func ask[T any](ctx context.Context, a *Agent, f func(carrier) ([]T, error)) ([]T, error) {
	lists := make([][]T, len(a.stores))
	errs := make([]error, len(a.stores))
	found := make([]bool, len(a.stores))
	each(len(a.stores), func(i int) {
		list, err := a.stores[i].Tokens(ctx)
		if errs[i] = err; a.trouble.news(i, err) {
			a.log.Warn("a store does not answer", "store", i, "error", err)
		}
		found[i] = len(list) > 0
		// One token after the other: a card reader is not quicker in parallel.
		for _, t := range list {
			at := carrier{a.stores[i], t}
			a.places.note(at)
			some, err := f(at)
			if err != nil {
				a.log.Warn("a token cannot be read", "token", t.ID, "error", err)
			}
			lists[i] = append(lists[i], some...)
		}
	})
	if !slices.Contains(found, true) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !slices.Contains(errs, nil) {
			return nil, errors.Join(errs...)
		}
	}
	return slices.Concat(lists...), nil
}

// trouble remembers which stores fail: a module without its device does at each listing, and is logged once.
type trouble struct {
	mu    sync.Mutex
	fails map[int]bool
}

// news tells whether a store fails that did not before.
func (t *trouble) news(store int, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails == nil {
		t.fails = map[int]bool{}
	}
	before := t.fails[store]
	t.fails[store] = err != nil
	return err != nil && !before
}

// carrier finds a token by its id.
func (a *Agent) carrier(ctx context.Context, id string) (carrier, error) {
	all, err := a.carriers(ctx)
	if err != nil {
		return carrier{}, err
	}
	for _, c := range all {
		if c.token.ID == tokens.ID(id) {
			return c, nil
		}
	}
	return a.places.again(ctx, tokens.ID(id))
}

// holdings lists the certificates of one token.
func (a *Agent) holdings(ctx context.Context, at carrier) ([]holding, error) {
	_, list, err := a.inside(ctx, at)
	return list, err
}

// inside gives the keys and certificates on a token, as far as they can be seen without a PIN.
func (a *Agent) inside(ctx context.Context, at carrier) ([]tokens.Key, []holding, error) {
	keys, certificates, err := at.store.Objects(ctx, at.token.ID)
	if err != nil {
		return nil, nil, err
	}
	all := make([][]byte, len(certificates))
	for i, c := range certificates {
		all[i] = c.DER
	}
	list := make([]holding, len(certificates))
	for i, c := range certificates {
		h := holding{carrier: at, certificate: parse(c.DER), key: c.Key}
		h.others = slices.Concat(all[:i], all[i+1:])
		for _, k := range keys {
			if k.ID == c.Key {
				h.always, h.tokenHash = h.always || k.AlwaysAuthenticate, h.tokenHash || k.TokenHash
			}
		}
		a.places.put(h)
		list[i] = h
	}
	return keys, list, nil
}

// everything lists the certificates of every token. A token that cannot be read hides nothing of the others.
func (a *Agent) everything(ctx context.Context) ([]holding, error) {
	list, err := ask(ctx, a, func(at carrier) ([]holding, error) {
		if !at.token.State.Open() {
			return nil, nil
		}
		return a.holdings(ctx, at)
	})
	return list, errors.Join(err, ctx.Err())
}

// find looks a certificate up by its id, with its private key if any token has it.
func (a *Agent) find(ctx context.Context, id string) (holding, error) {
	if len(id) != 64 {
		return holding{}, wrong("certificate", "%d characters", len(id))
	}
	if h, ok := a.findAt(ctx, id); ok {
		return h, nil
	}
	list, err := a.everything(ctx)
	if err != nil {
		return holding{}, err
	}
	found := -1
	for i, h := range list {
		if h.id == id && (found < 0 || list[found].key == "") {
			found = i
		}
	}
	if found < 0 {
		if at, ok := a.places.get(id); ok {
			if _, err := a.places.again(ctx, at.token); err == nil {
				if h, ok := a.findAt(ctx, id); ok {
					return h, nil
				}
			} else if !errors.Is(err, tokens.ErrNoToken) {
				return holding{}, err
			}
		}
		return holding{}, a.unseen(ctx, id)
	}
	return list[found], nil
}

// unseen is the refusal of a certificate that is nowhere. It may lie on a card that another program has for itself.
func (a *Agent) unseen(ctx context.Context, id string) error {
	all, err := a.carriers(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.token.State == tokens.Busy {
			return ready(c.token)
		}
	}
	return refuse(api.CertificateNotFound, "certificate %s", id)
}

// findForUse is find for what is asked of the person next: the store may get ready meanwhile.
func (a *Agent) findForUse(ctx context.Context, id string) (holding, error) {
	if at, ok := a.places.get(id); ok {
		if s, ok := at.store.(interface{ Expect(tokens.ID) }); ok {
			s.Expect(at.token)
		}
	}
	return a.find(ctx, id)
}

// findAt looks where the certificate was seen last.
func (a *Agent) findAt(ctx context.Context, id string) (holding, bool) {
	at, ok := a.places.get(id)
	if !ok {
		return holding{}, false
	}
	list, err := at.store.Tokens(ctx)
	if err != nil {
		return holding{}, false
	}
	i := slices.IndexFunc(list, func(t tokens.Token) bool { return t.ID == at.token })
	if i < 0 {
		return holding{}, false
	}
	held, err := a.holdings(ctx, carrier{at.store, list[i]})
	if err != nil {
		return holding{}, false
	}
	i = slices.IndexFunc(held, func(h holding) bool { return h.id == id && h.key != "" })
	if i < 0 {
		return holding{}, false
	}
	return held[i], true
}

// each runs f(0), … f(n-1) side by side.
func each(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { f(i) })
	}
	wait.Wait()
}

// ready is ready of the token; a carrier that cannot be read is asked why, for what the person can do hangs on it.
func (c carrier) ready(ctx context.Context) error {
	if c.token.State == tokens.Unreadable {
		if _, _, err := c.store.Objects(ctx, c.token.ID); errors.Is(err, tokens.ErrForeignContainer) {
			return fmt.Errorf("token %q: %w", c.token.Label, err)
		}
	}
	return ready(c.token)
}

// ready says whether a token's PIN can be asked at all.
func ready(t tokens.Token) error {
	var err error
	switch t.State {
	case tokens.PINLocked:
		err = tokens.ErrPINLocked
	case tokens.PINNotSet, tokens.Uninitialized:
		err = tokens.ErrPINNotSet
	case tokens.Unreadable:
		err = tokens.ErrNoToken
	case tokens.Busy:
		err = tokens.ErrBusy
	default:
		return nil
	}
	return fmt.Errorf("token %q is %s: %w", t.Label, t.State, err)
}
