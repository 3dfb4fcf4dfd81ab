package p11

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unsafe"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/cards"
)

// Config names a PKCS#11 module.
type Config struct {
	Name       string       // stable: it is part of the identity of the module's tokens
	Path       string       // absolute
	Parameters string       // what some modules want in CK_C_INITIALIZE_ARGS.pReserved (NSS: the folder of its data base); "" for none
	Log        *slog.Logger // nil: none
}

// Module is a tokens.Module over one PKCS#11 library. Safe for use from several goroutines.
type Module struct {
	cfg Config

	// life is held for reading around calls into the library and for writing around C_Initialize and C_Finalize.
	life    sync.RWMutex
	ctx     *pkcs11.Ctx       // nil: not loaded or finalised
	engine  *crypto11.Context // owns C_Initialize where it is not nil
	refused bool              // crypto11 could not start
	ended   bool
	library string // CK_INFO.manufacturerID
	quirks  cards.Quirks
	started time.Time // of the last C_Initialize
	trouble error     // of one that failed

	mu        sync.Mutex
	sessions  map[uint]*session // live logins by slot
	watchers  map[chan struct{}]bool
	waiting   chan pkcs11.SlotEvent // the outstanding C_WaitForSlotEvent, at most one in a process
	idleWaits int                   // how many in a row brought nothing
}

// New gives the Module of cfg. Nothing is loaded before the first call.
func New(cfg Config) *Module {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Module{cfg: cfg, sessions: map[uint]*session{}, watchers: map[chan struct{}]bool{}}
}

// Close ends the library's work in this process for good: C_Finalize. Sessions that are still open die.
func (m *Module) Close() error {
	m.life.Lock()
	defer m.life.Unlock()
	m.stop()
	m.ended = true
	return nil
}

// settling is how long a library that could not initialise is left alone: one without its TPM or its service takes its time to say so, at each listing.
const settling = 5 * time.Second

// start loads and initialises the library; m.life is held for writing.
func (m *Module) start() error {
	if m.ended {
		return errors.New("the module was closed")
	}
	if m.ctx != nil {
		return nil
	}
	if m.trouble != nil && time.Since(m.started) < settling {
		return m.trouble
	}
	ctx := pkcs11.New(m.cfg.Path)
	if ctx == nil {
		return fmt.Errorf("load %s: not a PKCS#11 module for this machine", m.cfg.Path)
	}
	// CKR_CRYPTOKI_ALREADY_INITIALIZED is normal when another component of the process (crypto11, a p11-kit proxy) was first.
	if err := ctx.Initialize(m.parameters()...); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		ctx.Destroy()
		m.trouble, m.started = failed("initialise "+m.cfg.Name, err), time.Now()
		return m.trouble
	}
	m.trouble = nil
	if info, err := ctx.GetInfo(); err == nil {
		m.library, m.quirks = info.ManufacturerID, cards.QuirksOf(info.ManufacturerID)
	}
	m.ctx, m.started = ctx, time.Now()
	return nil
}

// parameters are those of C_Initialize. The module copies what it is given: the text need not outlive the call.
func (m *Module) parameters() []pkcs11.InitializeOption {
	if m.cfg.Parameters == "" {
		return nil
	}
	text := append([]byte(m.cfg.Parameters), 0)
	return []pkcs11.InitializeOption{pkcs11.InitializeWithReserved(unsafe.Pointer(unsafe.SliceData(text)))}
}

// stop finalises the library; m.life is held for writing. The library stays mapped: dlclose of vendors' libraries with threads of
// their own crashes.
func (m *Module) stop() {
	if m.engine != nil {
		_ = m.engine.Close() // finalises: crypto11 was the one to initialise
		m.engine = nil
	} else if m.ctx != nil {
		_ = m.ctx.Finalize()
	}
	m.ctx = nil
	m.mu.Lock()
	clear(m.sessions)
	m.waiting = nil
	m.mu.Unlock()
}

// with calls f with the started library.
func (m *Module) with(f func(ctx *pkcs11.Ctx) error) error {
	m.life.RLock()
	if m.ctx == nil {
		m.life.RUnlock()
		m.life.Lock()
		err := m.start()
		m.life.Unlock()
		if err != nil {
			return err
		}
		m.life.RLock()
	}
	defer m.life.RUnlock()
	if m.ctx == nil {
		return errors.New("the module was closed")
	}
	return f(m.ctx)
}

// rescan restarts a library that reads its list of tokens only in C_Initialize (SoftHSM), when the list is older than age and no login
// would be lost. It never waits for a call that hangs.
func (m *Module) rescan(age time.Duration) {
	if !m.life.TryLock() {
		return
	}
	defer m.life.Unlock()
	if m.ctx == nil || !m.quirks.Rescan || m.engine != nil || m.busy() || time.Since(m.started) < age {
		return
	}
	_ = m.ctx.Finalize()
	m.ctx = nil
	_ = m.start()
}

// busy reports whether a login is open.
func (m *Module) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions) > 0
}

// Prepare lets crypto11 initialise the library for the token id, before the PIN is asked: on a real card that takes a second, which
// passes while the person reads the window. Without it Login does the same. It does nothing in a process that watches
// the module or holds a login, and where crypto11 cannot start; then everything goes without crypto11.
func (m *Module) Prepare(ctx context.Context, id tokens.ID) error {
	_, err := wait(ctx, func() (struct{}, error) {
		slot, err := m.slot(ctx, id)
		if err == nil {
			m.attach(slot)
		}
		return struct{}{}, err
	})
	return err
}

// attach hands the library over to crypto11 and reports whether it was started anew. C_Initialize is crypto11's own affair: it fails
// when somebody else was first.
func (m *Module) attach(at slot) bool {
	if limit := at.info.MaxSessionCount; limit > 0 && limit < 5 || m.cfg.Parameters != "" || !at.token.Writable {
		return false // crypto11 keeps one session for itself and takes another, such a token has none to spare; it hands on no parameters; it only makes keys
	}
	m.life.Lock()
	defer m.life.Unlock()
	m.mu.Lock()
	taken := len(m.sessions) > 0 || len(m.watchers) > 0 || m.waiting != nil
	m.mu.Unlock()
	if m.engine != nil || taken || m.ctx == nil || m.refused {
		return false
	}
	_ = m.ctx.Finalize()
	m.ctx = nil
	number := int(at.number)
	// Of its two sessions one keeps the login alive, one makes keys.
	engine, err := crypto11.Configure(&crypto11.Config{Path: m.cfg.Path, SlotNumber: &number, LoginNotSupported: true, MaxSessions: 2})
	if err == nil {
		m.engine = engine
	}
	m.refused = err != nil
	if err := m.start(); err != nil && m.engine != nil {
		_ = m.engine.Close()
		m.engine = nil
	}
	return true
}

// release is called when a login ended: the library of a process that only served it is finalised, unless a call still hangs in it.
func (m *Module) release(s *session) {
	m.mu.Lock()
	if m.sessions[s.slot] == s {
		delete(m.sessions, s.slot)
	}
	last := len(m.sessions) == 0 && len(m.watchers) == 0
	m.mu.Unlock()
	if last && m.life.TryLock() {
		m.stop()
		m.life.Unlock()
	}
}

// wait calls f and returns when it does or when ctx ends. The module may then be busy with f for a while.
func wait[T any](ctx context.Context, f func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if ctx.Done() == nil {
		return f()
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
