package p11

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// session is one login. PKCS#11 sessions carry one operation at a time, so several signers share a small pool of them.
type session struct {
	m        *Module
	ctx      *pkcs11.Ctx
	engine   *crypto11.Context // nil where crypto11 could not start
	slot     uint
	writable bool
	pad      bool
	hashes   bool // the token makes the digest for its GOST keys
	again    func(context.Context) (*tokens.PIN, error)

	anchor pkcs11.SessionHandle      // logged in; open until Close, because the login ends with the last session
	idle   chan pkcs11.SessionHandle // open and not in use
	room   chan struct{}             // one for each session that may still be opened

	alone sync.Mutex // one PIN for one signature at a time
	write sync.Mutex // one change of the token at a time
	begun bool       // that change has come to the token; the lock of write is held

	mu     sync.Mutex
	dead   error // ErrRemoved, or closed
	closed bool
	found  map[tokens.KeyID]signer // private keys found; handles are good until logout
}

var errClosed = errors.New("the login has ended")

func newSession(m *Module, at slot, again func(context.Context) (*tokens.PIN, error)) *session {
	n := min(2*runtime.GOMAXPROCS(0), 16)
	// 0 is CK_EFFECTIVELY_INFINITE (v2.40, section 3.2). Apart from the pool there are the anchor, one for changes, two of crypto11's.
	if limit := at.info.MaxSessionCount; limit > 0 && limit < 20 {
		n = max(1, min(n, int(limit)-4))
	}
	s := &session{
		m: m, slot: at.number, writable: at.token.Writable, pad: at.token.PINPad, hashes: at.hashes, again: again,
		idle: make(chan pkcs11.SessionHandle, n), room: make(chan struct{}, n), found: map[tokens.KeyID]signer{},
	}
	for range n {
		s.room <- struct{}{}
	}
	return s
}

// call runs f while the library cannot be finalised under it, and makes the session dead when the token turns out to be gone.
func (s *session) call(what string, f func() error) error {
	s.m.life.RLock()
	defer s.m.life.RUnlock()
	if err := s.usable(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err := f()
	if err == nil {
		return nil
	}
	err = failed(what, s.m.seen(s.ctx, s.slot, err))
	if errors.Is(err, tokens.ErrRemoved) {
		s.mu.Lock()
		s.dead = tokens.ErrRemoved
		s.mu.Unlock()
		s.m.changed()
	}
	return err
}

// noticing is how long a card service may take to notice that a card is gone.
const noticing = 3 * time.Second

// seen adds that the token was pulled out where a module has no better word for it.
func (m *Module) seen(ctx *pkcs11.Ctx, slot uint, err error) error {
	if (is(err, pkcs11.CKR_DEVICE_ERROR) || is(err, pkcs11.CKR_GENERAL_ERROR) || is(err, pkcs11.CKR_FUNCTION_FAILED)) && m.left(ctx, slot) {
		return fmt.Errorf("%w: %w", err, tokens.ErrRemoved)
	}
	return err
}

// left tells whether the token was pulled out. A card whose answers stopped coming a moment ago may still be shown as present.
func (m *Module) left(ctx *pkcs11.Ctx, slot uint) bool {
	for begun := time.Now(); ; time.Sleep(noticing / 30) {
		if info, err := ctx.GetSlotInfo(slot); err != nil || info.Flags&pkcs11.CKF_TOKEN_PRESENT == 0 {
			return true
		}
		if !m.quirks.Readers || time.Since(begun) > noticing {
			return false
		}
	}
}

func (s *session) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead == nil && s.m.ctx != s.ctx {
		return errClosed // Module.Close
	}
	return s.dead
}

// take gives a PKCS#11 session of the pool; put or drop gives it back.
func (s *session) take(ctx context.Context) (pkcs11.SessionHandle, error) {
	select {
	case h := <-s.idle:
		return h, nil
	default:
	}
	select {
	case h := <-s.idle:
		return h, nil
	case <-s.room:
		h, err := s.ctx.OpenSession(s.slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			s.room <- struct{}{}
		}
		return h, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *session) put(h pkcs11.SessionHandle) { s.idle <- h }

// drop closes a session whose operation may be half done.
func (s *session) drop(h pkcs11.SessionHandle) {
	_ = s.ctx.CloseSession(h)
	s.room <- struct{}{}
}

// changing runs f in a read-write session.
func (s *session) changing(ctx context.Context, what string, f func(h pkcs11.SessionHandle) error) error {
	if !s.writable {
		return fmt.Errorf("%s: %w", what, tokens.ErrReadOnly)
	}
	_, err := wait(ctx, func() (struct{}, error) {
		s.write.Lock()
		defer s.write.Unlock()
		return struct{}{}, s.call(what, func() error {
			h, err := s.ctx.OpenSession(s.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
			if err != nil {
				return err
			}
			defer s.ctx.CloseSession(h)
			defer s.m.changed()
			s.begun = false
			if err = f(h); s.begun {
				err = whenBegun(err)
			}
			return err
		})
	})
	return err
}

// create makes an object, in changing. What is not kept whole, or is to be taken back, is destroyed by the handle: so one of another object is an error.
func (s *session) create(h pkcs11.SessionHandle, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	there, err := find(s.ctx, h)
	if err != nil {
		return 0, err
	}
	s.begun = true
	made, err := s.ctx.CreateObject(h, template)
	if err == nil && slices.Contains(there, made) {
		return 0, fmt.Errorf("the token gives another object's handle to what it took: %w", tokens.ErrModuleFailed)
	}
	return made, err
}

// destroy removes an object, in changing.
func (s *session) destroy(h pkcs11.SessionHandle, o pkcs11.ObjectHandle) error {
	s.begun = true
	return s.ctx.DestroyObject(h, o)
}

// survey looks at the token with a login.
func (s *session) survey(h pkcs11.SessionHandle) (*view, error) {
	list, err := s.m.readObjects(context.Background(), s.ctx, h)
	if err != nil {
		return nil, err
	}
	return s.piece(h, list), nil
}

// piece makes a view of objects that were read with a login.
func (s *session) piece(h pkcs11.SessionHandle, list []object) *view {
	v := survey(list, func(private *object, candidates []object) *object { return s.tryOut(h, private, candidates) })
	v.hashing(s.hashes)
	return v
}

// Keys lists the private keys.
func (s *session) Keys(ctx context.Context) ([]tokens.Key, error) {
	return wait(ctx, func() (keys []tokens.Key, err error) {
		err = s.call("list keys", func() error {
			h, err := s.take(ctx)
			if err != nil {
				return err
			}
			v, err := s.survey(h)
			if err != nil {
				s.drop(h)
				return err
			}
			s.put(h)
			keys, _ = v.list(true)
			return nil
		})
		return keys, err
	})
}

// Close logs out, also when the session is dead for us or a call still hangs.
func (s *session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	removed := s.dead != nil
	s.dead = errClosed
	clear(s.found)
	s.mu.Unlock()
	var err error
	s.m.life.RLock()
	if s.m.ctx == s.ctx {
		err = s.ctx.Logout(s.anchor)
		if removed || is(err, pkcs11.CKR_USER_NOT_LOGGED_IN) {
			err = nil
		}
		for {
			select {
			case h := <-s.idle:
				_ = s.ctx.CloseSession(h)
				continue
			default:
			}
			break
		}
		_ = s.ctx.CloseSession(s.anchor)
	}
	s.m.life.RUnlock()
	s.m.release(s)
	return failed("logout", err)
}
