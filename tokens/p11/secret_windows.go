package p11

import (
	"runtime"
	"syscall"
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

func (m *Module) initToken(slot uint, so *tokens.PIN, label [labelSize]byte) error {
	defer runtime.KeepAlive(so)
	var pinned runtime.Pinner // a stack may move
	pinned.Pin(&label)
	defer pinned.Unpin()
	b, n := octets(so)
	return m.call("C_InitToken", uintptr(slot), b, n, uintptr(unsafe.Pointer(&label[0])))
}

// call calls a function of the library by its name; the library is loaded already and stays so.
func (m *Module) call(name string, arguments ...uintptr) error {
	library, err := syscall.LoadLibrary(m.cfg.Path)
	if err != nil {
		return err
	}
	defer syscall.FreeLibrary(library)
	f, err := syscall.GetProcAddress(library, name)
	if err != nil {
		return pkcs11.Error(pkcs11.CKR_FUNCTION_NOT_SUPPORTED)
	}
	if code, _, _ := syscall.SyscallN(f, arguments...); uint32(code) != pkcs11.CKR_OK {
		return pkcs11.Error(uint32(code))
	}
	return nil
}

// octets gives the PIN as C takes it; NULL for one that is typed on the reader.
func octets(pin *tokens.PIN) (address, length uintptr) {
	if pin == nil {
		return 0, 0
	}
	b := pin.Bytes()
	return uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))
}
