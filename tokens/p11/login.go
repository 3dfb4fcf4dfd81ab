package p11

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// Login makes one C_Login with pin; a token with a PIN pad gets none and asks for it itself. A second login to the same token from one
// process is ErrBusy: PKCS#11 knows one login state per process and token, and the two would ride on each other's.
func (m *Module) Login(ctx context.Context, id tokens.ID, pin *tokens.PIN, again func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	if pin != nil {
		// The caller wipes and unmaps the PIN when we return, so not before C_Login did. Only a PIN pad makes it wait for a person.
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return m.login(id, pin, again)
	}
	type result struct {
		session tokens.Session
		err     error
	}
	done := make(chan result, 1)
	go func() {
		s, err := m.login(id, nil, again)
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.session, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.session.Close() // the person used the pad after the page had left
			}
		}()
		return nil, ctx.Err()
	}
}

func (m *Module) login(id tokens.ID, pin *tokens.PIN, again func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	at, err := m.slot(context.Background(), id)
	if err != nil {
		return nil, err
	}
	switch at.token.State {
	case tokens.Unreadable:
		return nil, fmt.Errorf("login: the token cannot be read: %w", tokens.ErrNoToken)
	case tokens.Busy:
		return nil, fmt.Errorf("login: another program has the card: %w", tokens.ErrBusy)
	case tokens.Uninitialized, tokens.PINNotSet:
		return nil, fmt.Errorf("login: %w", tokens.ErrPINNotSet)
	case tokens.PINLocked:
		return nil, fmt.Errorf("login: CKF_USER_PIN_LOCKED: %w", tokens.ErrPINLocked)
	}
	required := at.info.Flags&pkcs11.CKF_LOGIN_REQUIRED != 0
	switch {
	case at.token.PINPad:
		pin = nil
	case pin != nil && len(pin.Bytes()) == 0:
		return nil, errors.New("login: an empty PIN is not sent to a token")
	case pin == nil && required:
		return nil, errors.New("login: the token has no PIN pad and no PIN was given")
	}
	if m.attach(at) {
		if at, err = m.slot(context.Background(), id); err != nil { // slots may be numbered anew at each C_Initialize
			return nil, err
		}
	}
	s := newSession(m, at, again)
	m.mu.Lock()
	if m.sessions[at.number] != nil {
		m.mu.Unlock()
		return nil, fmt.Errorf("login: a login to this token is open: %w", tokens.ErrBusy)
	}
	m.sessions[at.number] = s
	m.mu.Unlock()
	err = m.with(func(ctx *pkcs11.Ctx) error {
		s.ctx, s.engine = ctx, m.engine
		h, err := ctx.OpenSession(at.number, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			return failed("open session", err)
		}
		s.anchor = h
		if !required && pin == nil && !at.token.PINPad {
			return nil
		}
		err = login(ctx, h, pkcs11.CKU_USER, pin)
		if is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
			// Not a sign of a right PIN: whoever else is in this process logged in. That ends first, then the PIN is put to the token.
			if err = ctx.Logout(h); err == nil {
				err = login(ctx, h, pkcs11.CKU_USER, pin)
			}
		}
		if err != nil {
			err = m.seen(ctx, at.number, err)
			_ = ctx.CloseSession(h)
		}
		return failed("login", err)
	})
	if err != nil {
		m.release(s)
		m.changed() // a refused PIN changes the token's flags
		return nil, err
	}
	return s, nil
}

// login is C_Login; a nil pin is a PIN pad's NULL_PTR (v2.40, section 5.6, "C_Login").
func login(ctx *pkcs11.Ctx, h pkcs11.SessionHandle, user uint, pin *tokens.PIN) error {
	if pin == nil {
		return whenPut(ctx.Login(h, user, ""))
	}
	// miekg/pkcs11 takes a string. This one lies over the PIN's own locked memory, so that none is made on Go's heap where nobody can
	// wipe it; it does not outlive the call. (Below, miekg hands the module a C copy and frees it unwiped: one more reason that the
	// process of a login ends with it.)
	defer runtime.KeepAlive(pin) // its memory goes when nobody holds it
	octets := pin.Bytes()
	return whenPut(ctx.Login(h, user, unsafe.String(unsafe.SliceData(octets), len(octets))))
}
