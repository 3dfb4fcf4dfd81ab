package tokens

import (
	"errors"
	"fmt"
	"runtime"
)

// PIN holds a PIN or password for the time of one login, in memory of its own: outside the Go heap, not swapped out, not in core files
// (as far as the system grants that), wiped at the end. It has no String method and is never formatted, encoded or copied into a Go string.
type PIN struct {
	octets []byte
	memory *pinMemory
}

// pinMemory is apart from PIN so that a clean-up can hold it when the PIN is gone.
type pinMemory struct{ pages []byte }

// AllocPIN gives a PIN of n zero octets, to be read into straight by its Bytes and cut by Truncate.
func AllocPIN(n int) *PIN {
	m := &pinMemory{pages: lockedPages(max(n, 1))}
	p := &PIN{octets: m.pages[:n], memory: m}
	runtime.AddCleanup(p, (*pinMemory).free, m)
	return p
}

// NewPIN takes over the octets: the caller's slice is wiped.
func NewPIN(octets []byte) *PIN {
	p := AllocPIN(len(octets))
	copy(p.octets, octets)
	clear(octets)
	return p
}

// Bytes gives the PIN itself, UTF-8. Valid until Wipe.
func (p *PIN) Bytes() []byte { return p.octets }

// Truncate keeps the first n octets and wipes the others.
func (p *PIN) Truncate(n int) {
	clear(p.octets[n:])
	p.octets = p.octets[:n]
}

// Clone gives a second PIN that outlives the Wipe of the first.
func (p *PIN) Clone() *PIN {
	c := AllocPIN(len(p.octets))
	copy(c.octets, p.octets)
	return c
}

// Wipe overwrites the PIN. Safe to call twice and on nil. Slices that Bytes gave are not to be touched afterwards.
func (p *PIN) Wipe() {
	if p == nil || p.memory == nil {
		return
	}
	p.octets = nil
	p.memory.free()
	p.memory = nil
}

// Format writes no PIN, whatever the verb: a PIN in a log is a slip that must not cost anything.
func (p *PIN) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[PIN]") }

// MarshalText refuses: encoders (JSON, XML, gob, slog) ask it first.
func (p *PIN) MarshalText() ([]byte, error) { return nil, errors.New("a PIN is never encoded") }

func (m *pinMemory) free() {
	if m.pages != nil {
		clear(m.pages)
		unlockPages(m.pages)
		m.pages = nil
	}
}

// PINState is what the window tells about the PIN it asks for.
type PINState struct {
	Secret   Secret // what is asked for
	Wrong    bool   // what was just typed was refused by the token
	Length   bool   // the PIN just typed is empty, or shorter or longer than the token takes; it was not sent to the token
	Digits   bool   // the new PIN just typed has other characters than digits, and the token takes nothing else; it was not sent either
	Refused  bool   // the token does not take such a PIN as the new one just typed (ErrPINPolicy)
	Low      bool   // CKF_USER_PIN_COUNT_LOW, or the flag of the SO-PIN
	FinalTry bool   // CKF_USER_PIN_FINAL_TRY, or that of the SO-PIN: the next wrong one locks
	New      bool   // choose one; asked twice
	Sure     bool   // the second question before what cannot be taken back
	Nth      int    // which of Prompt.PINs this is, from 1
}

// Secret is which of a token's secrets a person is asked for.
type Secret string

// Secrets.
const (
	UserPIN  Secret = ""         // the PIN of each login
	SOPIN    Secret = "so_pin"   // PKCS#11's security officer: whoever set the token up
	PUK      Secret = "puk"      // of a card whose library unblocks by it instead
	Password Secret = "password" // of a file on its way to a token
)
