package p11

import (
	"syscall"

	"github.com/miekg/pkcs11"
)

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
		return whenPut(pkcs11.Error(uint32(code)))
	}
	return nil
}
