package host

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/perosign/pero/tokens"
)

// login is the session of one child.
type login struct {
	store *Store
	child *child
	token tokens.ID
	wrote atomic.Bool // or may have: the outcome of a call that failed is unknown
	once  sync.Once
	err   error // of Close
}

func (l *login) Sign(ctx context.Context, key tokens.KeyID, alg tokens.Algorithm, digest []byte) ([]byte, error) {
	var e encoder
	signRequest{key, alg, digest}.encode(&e)
	body, err := l.call(ctx, kindSign, l.child.limits.sign, e.b)
	if err != nil {
		return nil, err
	}
	d := decoder{b: body}
	signature := d.octets()
	return signature, l.child.shape(d.done())
}

func (l *login) call(ctx context.Context, k kind, limit time.Duration, body []byte) ([]byte, error) {
	return l.store.callOn(ctx, l.child, l.token, k, limit, body)
}

func (l *login) Generate(ctx context.Context, spec tokens.KeySpec) (tokens.Key, error) {
	var e encoder
	for _, s := range []string{string(spec.ID), string(spec.Algorithm), spec.Label} {
		e.text(s)
	}
	l.wrote.Store(true)
	body, err := l.call(ctx, kindGenerate, l.child.limits.generate, e.b)
	if err != nil {
		return tokens.Key{}, err
	}
	d := decoder{b: body}
	key := decodeKey(&d)
	return key, l.child.shape(d.done())
}

func (l *login) Install(ctx context.Context, key tokens.KeyID, chain [][]byte) error {
	var e encoder
	e.text(string(key))
	encodeList(&e, chain, (*encoder).octets)
	return l.do(ctx, kindInstall, e.b)
}

func (l *login) Delete(ctx context.Context, key tokens.KeyID) error {
	var e encoder
	e.text(string(key))
	return l.do(ctx, kindDelete, e.b)
}

func (l *login) DeleteCertificate(ctx context.Context, der []byte) error {
	var e encoder
	e.octets(der)
	return l.do(ctx, kindDeleteCertificate, e.b)
}

func (l *login) do(ctx context.Context, k kind, body []byte) error {
	l.wrote.Store(true)
	body, err := l.call(ctx, k, l.child.limits.sign, body)
	if err != nil {
		return err
	}
	return l.child.shape((&decoder{b: body}).done())
}

func (l *login) Keys(ctx context.Context) ([]tokens.Key, error) {
	body, err := l.call(ctx, kindKeys, l.child.limits.sign, nil)
	if err != nil {
		return nil, err
	}
	d := decoder{b: body}
	keys := decodeList(&d, decodeKey)
	return keys, l.child.shape(d.done())
}

// Close logs out and ends the child. What was written can be listed when it returns.
func (l *login) Close() error {
	l.once.Do(func() {
		_, l.err = l.child.call(context.Background(), kindClose, l.child.limits.close, nil)
		if errors.Is(l.err, tokens.ErrModuleCrashed) || errors.Is(l.err, tokens.ErrRemoved) || errors.Is(l.err, errStopped) {
			l.err = nil // no process, no login
		}
		l.child.stop()
		if l.wrote.Load() {
			l.store.refresh()
		}
		go l.store.acted()
	})
	return l.err
}
