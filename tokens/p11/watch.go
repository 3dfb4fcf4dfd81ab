package p11

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/cards"
)

// How often a watcher looks. The list of slots is cheap everywhere. The tokens' flags cost some modules a talk with the card. A
// restart (SoftHSM only, see cards.Quirks; 0.2 ms with two tokens, 1.4 ms with twenty objects) is spaced so that it stays below 1/restartShare of a core.
const (
	slotsEvery   = time.Second
	flagsEvery   = 5 * time.Second
	restartEvery = 900 * time.Millisecond // at each look that may be
	restartShare = 2000
)

// Watch sends an Event when a token comes, goes or changes, and one when it has begun to look: what changed before that is not known to
// have been listed. What this process's own sessions change is told at once.
func (m *Module) Watch(ctx context.Context) <-chan tokens.Event {
	out := make(chan tokens.Event, 1)
	poke := make(chan struct{}, 1)
	m.mu.Lock()
	m.watchers[poke] = true
	m.mu.Unlock()
	go func() {
		defer close(out)
		defer func() {
			m.mu.Lock()
			delete(m.watchers, poke)
			m.mu.Unlock()
		}()
		w := watcher{m: m, last: m.look(true), flags: time.Now()}
		out <- tokens.Event{}
		tick := time.NewTicker(slotsEvery)
		defer tick.Stop()
		for {
			changed := false
			select {
			case <-ctx.Done():
				return
			case <-poke:
				w.look(true)
				changed = true
			case <-m.slotEvent():
				changed = w.look(true)
				m.slotEventDone(changed)
			case <-tick.C:
				changed = w.tick()
			}
			if changed {
				select {
				case out <- tokens.Event{}:
				default: // the receiver has one to come, which says the same
				}
			}
		}
	}()
	return out
}

// watcher remembers what was seen.
type watcher struct {
	m     *Module
	last  sight
	flags time.Time     // when flags were last read
	cost  time.Duration // of the last restart and look
	moved bool          // the last restart saw a change, which is not told yet
}

func (w *watcher) tick() bool {
	if !w.m.oddities().Rescan {
		deep := time.Since(w.flags) >= flagsEvery
		if !deep && w.m.slotEvent() != nil {
			return false // C_WaitForSlotEvent looks for us
		}
		return w.look(deep)
	}
	pause := w.cost * restartShare
	if w.moved {
		pause = 0
	}
	if time.Since(w.flags) < max(restartEvery, pause) {
		return false
	}
	begun := time.Now()
	w.m.rescan(restartEvery / 2)
	moving, settled := w.look(true), w.moved
	w.moved, w.cost = moving, time.Since(begun)
	// Who is told reads the objects, and the other process may be in the midst of writing them (cards.Quirks, Stepwise).
	return settled && !moving
}

// look compares what is there with what was there.
func (w *watcher) look(deep bool) bool {
	now := w.m.look(deep)
	changed := now.slots != w.last.slots || (deep && now.tokens != w.last.tokens)
	if changed && !deep {
		now = w.m.look(true)
		deep = true
	}
	if deep {
		w.flags = time.Now()
	} else {
		now.tokens = w.last.tokens
	}
	w.last = now
	return changed
}

// sight is what a look saw, as text to compare.
type sight struct {
	slots  string // slots with a token
	tokens string // the tokens' names and flags, and what they hold where that can change behind our back
}

func (m *Module) look(deep bool) (s sight) {
	err := m.with(func(ctx *pkcs11.Ctx) error {
		numbers, err := ctx.GetSlotList(true)
		if err != nil || len(numbers) > maxSlots {
			return err
		}
		slices.Sort(numbers)
		s.slots = fmt.Sprint(numbers)
		if !deep {
			return nil
		}
		var b strings.Builder
		for _, n := range numbers {
			info, err := ctx.GetTokenInfo(n)
			fmt.Fprintf(&b, "%d %v %q %q %q %x\n", n, err, info.Label, info.SerialNumber, info.Model, info.Flags)
			if err == nil && m.quirks.Rescan && info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 {
				b.WriteString(contents(ctx, n))
			}
		}
		s.tokens = b.String()
		return nil
	})
	if err != nil {
		s.slots = err.Error()
	}
	return s
}

// contents counts a token's public objects: as much of a change as is worth reading every other second.
func contents(ctx *pkcs11.Ctx, slot uint) string {
	h, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return err.Error()
	}
	defer ctx.CloseSession(h)
	handles, err := find(ctx, h)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintln(len(handles), "objects")
}

// changed tells the watchers of this process.
func (m *Module) changed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for poke := range m.watchers {
		select {
		case poke <- struct{}{}:
		default:
		}
	}
}

// Refresh makes the library forget what it knows of its tokens and tells the watchers. For the process that watches, after another
// process wrote to a token: OpenSC and others read a card's objects once and never again. Nothing happens while a login is open.
func (m *Module) Refresh(ctx context.Context) error {
	_, err := wait(ctx, func() (struct{}, error) {
		if !m.life.TryLock() {
			return struct{}{}, tokens.ErrBusy
		}
		var err error
		if m.ctx != nil && m.engine == nil && !m.busy() {
			_ = m.ctx.Finalize()
			m.ctx = nil
			err = m.start()
		}
		m.life.Unlock()
		m.changed()
		return struct{}{}, err
	})
	return err
}

// oddities gives the quirks of the library, once it is started.
func (m *Module) oddities() (q cards.Quirks) {
	_ = m.with(func(*pkcs11.Ctx) error { q = m.quirks; return nil })
	return q
}

// slotEvent gives the channel of the outstanding C_WaitForSlotEvent, starting one where the module is known to do it well; nil elsewhere.
// Elsewhere it is missing, returns at once, or keeps every other call waiting, C_Finalize included.
func (m *Module) slotEvent() (waiting chan pkcs11.SlotEvent) {
	_ = m.with(func(ctx *pkcs11.Ctx) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.waiting == nil && m.quirks.Wait && m.idleWaits < 3 {
			m.waiting = ctx.WaitForSlotEvent(0)
		}
		waiting = m.waiting
		return nil
	})
	return waiting
}

// slotEventDone notes what came of a wait. miekg/pkcs11 drops its return value, so a wait that returns and brings nothing may be one
// that fails: after three in a row the poll does without.
func (m *Module) slotEventDone(changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = nil
	if m.idleWaits++; changed {
		m.idleWaits = 0
	}
}
