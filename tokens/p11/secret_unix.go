//go:build unix

package p11

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// CK_FUNCTION_LIST (PKCS#11 v2.40, section 3.6): a version, then the functions in the order of the specification.
typedef struct { unsigned char version[2]; void *function[68]; } list;
enum { INIT_TOKEN = 9, INIT_PIN = 10, SET_PIN = 11 };

static void *function(const char *path, int at) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	list *functions = NULL;
	unsigned long (*get)(list **) = library ? (unsigned long (*)(list **))dlsym(library, "C_GetFunctionList") : NULL;
	int ok = get && !get(&functions) && functions;
	if (library) dlclose(library); // the one that miekg/pkcs11 opened stays
	return ok ? functions->function[at] : NULL;
}

enum { FUNCTION_NOT_SUPPORTED = 0x54 };

static unsigned long init_token(const char *path, unsigned long slot, void *pin, unsigned long n, void *label) {
	unsigned long (*f)(unsigned long, void *, unsigned long, void *) = function(path, INIT_TOKEN);
	return f ? f(slot, pin, n, label) : FUNCTION_NOT_SUPPORTED;
}

static unsigned long init_pin(const char *path, unsigned long h, void *pin, unsigned long n) {
	unsigned long (*f)(unsigned long, void *, unsigned long) = function(path, INIT_PIN);
	return f ? f(h, pin, n) : FUNCTION_NOT_SUPPORTED;
}

static unsigned long set_pin(const char *path, unsigned long h, void *old, unsigned long m, void *pin, unsigned long n) {
	unsigned long (*f)(unsigned long, void *, unsigned long, void *, unsigned long) = function(path, SET_PIN);
	return f ? f(h, old, m, pin, n) : FUNCTION_NOT_SUPPORTED;
}
*/
import "C"

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
	path := C.CString(m.cfg.Path)
	defer C.free(unsafe.Pointer(path))
	a, n := octets(old)
	b, k := octets(pin)
	return returned(C.set_pin(path, C.ulong(h), a, n, b, k))
}

func (m *Module) initPIN(h pkcs11.SessionHandle, pin *tokens.PIN) error {
	defer runtime.KeepAlive(pin)
	path := C.CString(m.cfg.Path)
	defer C.free(unsafe.Pointer(path))
	b, n := octets(pin)
	return returned(C.init_pin(path, C.ulong(h), b, n))
}

func (m *Module) initToken(slot uint, so *tokens.PIN, label [labelSize]byte) error {
	defer runtime.KeepAlive(so)
	path := C.CString(m.cfg.Path)
	defer C.free(unsafe.Pointer(path))
	b, n := octets(so)
	return returned(C.init_token(path, C.ulong(slot), b, n, unsafe.Pointer(&label[0])))
}

// octets gives the PIN as C takes it; NULL for one that is typed on the reader.
func octets(pin *tokens.PIN) (unsafe.Pointer, C.ulong) {
	if pin == nil {
		return nil, 0
	}
	b := pin.Bytes()
	return unsafe.Pointer(unsafe.SliceData(b)), C.ulong(len(b))
}

func returned(code C.ulong) error {
	if code == 0 {
		return nil
	}
	return pkcs11.Error(code)
}
