package tokens

// PIN holds a PIN or password for the time of one login, in memory of its own that is wiped at the end. It has no String method and
// is never formatted, encoded or copied into a Go string.
type PIN struct{ octets []byte }

// NewPIN takes over the octets: the caller's slice is wiped.
func NewPIN(octets []byte) *PIN {
	p := &PIN{octets: make([]byte, len(octets))}
	copy(p.octets, octets)
	clear(octets)
	return p
}

// Bytes gives the PIN itself, UTF-8. Valid until Wipe.
func (p *PIN) Bytes() []byte { return p.octets }

// Wipe overwrites the PIN. Safe to call twice and on nil.
func (p *PIN) Wipe() {
	if p != nil {
		clear(p.octets)
		p.octets = nil
	}
}

// PINState is what the window tells about the PIN it asks for.
type PINState struct {
	Wrong    bool // the PIN just typed was refused by the token
	Low      bool // CKF_USER_PIN_COUNT_LOW
	FinalTry bool // CKF_USER_PIN_FINAL_TRY: the next wrong PIN locks
	New      bool // choose a PIN for a new carrier; asked twice
	Nth      int  // which of Prompt.PINs this is, from 1
}
