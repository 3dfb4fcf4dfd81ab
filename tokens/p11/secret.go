package p11

import (
	"runtime"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// miekg/pkcs11 has these three too, but never gives NULL_PTR for a PIN, which a PIN pad wants (v2.40, section 5.5), and makes a copy of
// each PIN that nobody wipes. Here the module is given the PIN's own memory.

func (m *Module) setPIN(h pkcs11.SessionHandle, old, pin *tokens.PIN) error {
	defer runtime.KeepAlive(old)
	defer runtime.KeepAlive(pin)
	a, n := octets(old)
	b, k := octets(pin)
	return m.call("C_SetPIN", uintptr(h), a, n, b, k)
}

func (m *Module) initPIN(h pkcs11.SessionHandle, pin *tokens.PIN) error {
	defer runtime.KeepAlive(pin)
	b, n := octets(pin)
	return m.call("C_InitPIN", uintptr(h), b, n)
}

func (m *Module) initToken(slot uint, so *tokens.PIN, label [tokens.MaxLabel]byte) error {
	defer runtime.KeepAlive(so)
	var pinned runtime.Pinner // a stack may move
	pinned.Pin(&label)
	defer pinned.Unpin()
	b, n := octets(so)
	return m.call("C_InitToken", uintptr(slot), b, n, uintptr(unsafe.Pointer(&label)))
}

// octets gives the PIN as C takes it; NULL for one that is typed on the reader.
func octets(pin *tokens.PIN) (address, length uintptr) {
	if pin == nil {
		return 0, 0
	}
	b := pin.Bytes()
	return uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))
}
