// Package pcsc asks the system's card service (PC/SC) the one thing that PKCS#11 has no word for: a card is there, and another program has it for
// itself. Modules show such a reader as empty, and the person would look for the fault in the card.
//
// The service's library is loaded when it is there and not linked: most carriers need none.
package pcsc

// Flags of SCARD_READERSTATE.dwEventState (PC/SC part 5, section 3.2.5; pcsclite.h).
const (
	present   = 0x0020 // SCARD_STATE_PRESENT
	exclusive = 0x0080 // SCARD_STATE_EXCLUSIVE
)

// Held lists the readers, as PC/SC names them, whose card another program connected to in exclusive mode. Nil where there is no card service.
func Held() []string {
	var held []string
	for reader, state := range states() {
		if state&present != 0 && state&exclusive != 0 {
			held = append(held, reader)
		}
	}
	return held
}
