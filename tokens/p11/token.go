package p11

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/cards"
	"github.com/perosign/pero/tokens/pcsc"
)

// maxSlots is more than any reader stack offers; beyond it the list is nonsense.
const maxSlots = 256

// fresh is how old what a library read may be: not older than what this very call had it read.
const fresh = 10 * time.Millisecond

// slot is a slot with a token in it.
type slot struct {
	number uint
	info   pkcs11.TokenInfo
	token  tokens.Token
	hashes bool // the token makes the digest for its GOST keys
}

// Tokens lists the tokens, each slot by itself: one that cannot be read is listed Unreadable and hides nothing.
func (m *Module) Tokens(ctx context.Context) ([]tokens.Token, error) {
	return wait(ctx, func() ([]tokens.Token, error) {
		m.rescan(fresh)
		slots, err := m.slots(ctx)
		if err != nil {
			return nil, err
		}
		list := make([]tokens.Token, len(slots))
		for i := range slots {
			list[i] = slots[i].token
		}
		return list, nil
	})
}

func (m *Module) slots(ctx context.Context) (list []slot, err error) {
	err = m.with(func(lib *pkcs11.Ctx) error {
		numbers, err := lib.GetSlotList(true)
		if err != nil {
			return failed("list slots", err)
		}
		if len(numbers) > maxSlots {
			return fmt.Errorf("list slots: %d slots is more than there can be: %w", len(numbers), tokens.ErrModuleFailed)
		}
		slices.Sort(numbers)
		for _, n := range numbers {
			if s, ok := m.read(lib, n); ok {
				list = append(list, s)
			}
			tokens.Progress(ctx)
		}
		list = append(list, m.held(lib, numbers)...)
		distinguish(list)
		return nil
	})
	return list, err
}

// held gives the readers whose card another program has for itself. The library shows them as empty.
func (m *Module) held(ctx *pkcs11.Ctx, read []uint) (list []slot) {
	if !m.quirks.Readers {
		return nil
	}
	all, err := ctx.GetSlotList(false)
	if err != nil || len(all) > maxSlots || len(all) == len(read) {
		return nil
	}
	names := pcsc.Held()
	for _, n := range all {
		if slices.Contains(read, n) {
			continue
		}
		reader, err := ctx.GetSlotInfo(n)
		if err != nil { // OpenSC's first answer for such a slot; the next is from what it remembers
			reader, err = ctx.GetSlotInfo(n)
		}
		if err == nil && slices.Contains(names, text(reader.SlotDescription)) {
			list = append(list, m.closed(n, text(reader.SlotDescription), tokens.Busy))
		}
	}
	return list
}

// closed describes a token of which only the reader is known.
func (m *Module) closed(number uint, reader string, state tokens.State) slot {
	return slot{number: number, token: tokens.Token{
		ID:      tokens.MakeID(m.cfg.Name, "", reader, strconv.FormatUint(uint64(number), 10)),
		Module:  m.cfg.Name,
		Label:   reader,
		Reader:  reader,
		Carrier: tokens.SmartCard,
		State:   state,
	}}
}

// read describes the token in a slot; false when there is none to speak of.
func (m *Module) read(ctx *pkcs11.Ctx, number uint) (slot, bool) {
	s := slot{number: number}
	reader, err := ctx.GetSlotInfo(number)
	if err != nil {
		return s, false
	}
	name := text(reader.SlotDescription)
	s.info, err = ctx.GetTokenInfo(number)
	switch {
	case is(err, pkcs11.CKR_TOKEN_NOT_PRESENT), is(err, pkcs11.CKR_SLOT_ID_INVALID), is(err, pkcs11.CKR_DEVICE_REMOVED):
		return s, false // gone since the list was made
	case err != nil:
		return m.closed(number, name, tokens.Unreadable), true
	}
	if s.info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 && m.quirks.FreeSlot {
		return s, false
	}
	protected := s.info.Flags&pkcs11.CKF_WRITE_PROTECTED != 0
	t := tokens.Token{
		Module:       m.cfg.Name,
		Label:        text(s.info.Label),
		Manufacturer: text(s.info.ManufacturerID),
		Model:        text(s.info.Model),
		SerialNumber: text(s.info.SerialNumber),
		Reader:       name,
		State:        state(s.info.Flags),
		Writable:     !protected && !cards.Cannot(m.library, s.info.ManufacturerID, "write"),
		PINPad:       s.info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0,
		MinPIN:       length(s.info.MinPinLen),
		MaxPIN:       length(s.info.MaxPinLen),
		Protected:    protected,
		Erasable:     !protected && !cards.Cannot(m.library, s.info.ManufacturerID, "initialize"),
		NoPSS:        cards.Cannot(m.library, s.info.ManufacturerID, "pss"),
		ToBeChanged:  s.info.Flags&pkcs11.CKF_USER_PIN_TO_BE_CHANGED != 0,
		Algorithms:   m.algorithms(ctx, number),
	}
	if t.MaxPIN > 0 && t.MaxPIN < t.MinPIN {
		t.MinPIN, t.MaxPIN = 0, 0
	}
	t.NewPIN = tokens.PINPolicy{Min: t.MinPIN, Max: t.MaxPIN}
	if known := cards.NewPINOf(t.Manufacturer, t.Model); known != (cards.NewPIN{}) {
		t.NewPIN = tokens.PINPolicy{Min: known.Min, Max: known.Max, Digits: known.Digits}
	}
	if !cards.Cannot(m.library, s.info.ManufacturerID, "reset") {
		t.Reset, t.ResetState = tokens.SOPIN, officerState(s.info.Flags)
	}
	if m.quirks.PUK && t.State != tokens.PINNotSet && t.State != tokens.Uninitialized {
		t.Reset, t.ResetState = tokens.PUK, tokens.Ready // nothing is told of a PUK
	}
	s.hashes = cards.TokenHash(t.Manufacturer, t.Model)
	t.Carrier = tokens.Carrier(cards.CarrierOf(t.Manufacturer, t.Model, t.Reader, reader.Flags&pkcs11.CKF_REMOVABLE_DEVICE != 0))
	t.ID = identify(t, number, false)
	s.token = t
	return s, true
}

// identify makes the ID of a token. Its slot counts only when the serial number says nothing: readers are re-numbered at
// each plugging, but TPMs, NSS and uninitialised tokens have serials of nothing or of zeros, and more than one of them.
func identify(t tokens.Token, number uint, bySlot bool) tokens.ID {
	place := ""
	if bySlot || strings.Trim(t.SerialNumber, "0 ") == "" {
		place = strconv.FormatUint(uint64(number), 10)
	}
	return tokens.MakeID(t.Module, t.SerialNumber, t.Label, place)
}

// distinguish gives tokens of one serial number and label the IDs of their slots: none may be taken for another.
func distinguish(list []slot) {
	count := map[tokens.ID]int{}
	for i := range list {
		count[list[i].token.ID]++
	}
	for i := range list {
		if s := &list[i]; count[s.token.ID] > 1 {
			s.token.ID = identify(s.token, s.number, true)
		}
	}
}

// slot finds a token by its ID.
func (m *Module) slot(ctx context.Context, id tokens.ID) (slot, error) {
	find := func() (slot, error) {
		list, err := m.slots(ctx)
		if err != nil {
			return slot{}, err
		}
		for _, s := range list {
			if s.token.ID == id {
				return s, nil
			}
		}
		return slot{}, tokens.ErrNoToken
	}
	s, err := find()
	if err == tokens.ErrNoToken {
		m.rescan(0)
		s, err = find()
	}
	return s, err
}

// state reads the PIN flags (PKCS#11 v2.40, section 3.2, table 6). A module need not report them: Ready proves nothing.
func state(flags uint) tokens.State {
	switch {
	case flags&pkcs11.CKF_TOKEN_INITIALIZED == 0:
		return tokens.Uninitialized
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return tokens.PINLocked
	case flags&pkcs11.CKF_LOGIN_REQUIRED != 0 && flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0:
		return tokens.PINNotSet
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return tokens.PINFinalTry
	case flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0:
		return tokens.PINLow
	}
	return tokens.Ready
}

// officerState is state of the SO-PIN.
func officerState(flags uint) tokens.State {
	switch {
	case flags&pkcs11.CKF_SO_PIN_LOCKED != 0:
		return tokens.PINLocked
	case flags&pkcs11.CKF_SO_PIN_FINAL_TRY != 0:
		return tokens.PINFinalTry
	case flags&pkcs11.CKF_SO_PIN_COUNT_LOW != 0:
		return tokens.PINLow
	}
	return tokens.Ready
}

// algorithms probes what key pairs the token can make and sign with: mechanisms, not lists of models.
func (m *Module) algorithms(ctx *pkcs11.Ctx, number uint) []tokens.KeyAlgorithm {
	mechanisms, err := ctx.GetMechanismList(number)
	if err != nil {
		return nil
	}
	has := map[uint]bool{}
	for _, mech := range mechanisms {
		has[mech.Mechanism] = true
	}
	var list []tokens.KeyAlgorithm
	for _, k := range kinds {
		if !has[k.generate] || !has[k.sign] || (k.shows != nil && !slices.ContainsFunc(k.shows, func(m uint) bool { return has[m] })) {
			continue
		}
		info, err := ctx.GetMechanismInfo(number, []*pkcs11.Mechanism{pkcs11.NewMechanism(k.generate, nil)})
		if err != nil {
			continue
		}
		for _, size := range k.sizes {
			// A module that gives no sizes, or gives them in octets (the specification says bits for both), is believed.
			if info.MaxKeySize == 0 || info.MaxKeySize < 112 || (uint(size.bits) >= info.MinKeySize && uint(size.bits) <= info.MaxKeySize) {
				list = append(list, size.algorithm)
			}
		}
	}
	return list
}

// text makes a padded field of a token a string that can be shown and put into JSON.
func text(s string) string {
	return strings.TrimRight(strings.ToValidUTF8(s, "\uFFFD"), " \x00")
}

// length reads a PIN length; CK_UNAVAILABLE_INFORMATION and nonsense are 0.
func length(n uint) int {
	if n > 4096 {
		return 0
	}
	return int(n)
}
