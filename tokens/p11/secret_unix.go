//go:build unix

package p11

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// CK_FUNCTION_LIST (PKCS#11 v2.40, section 3.6): a version, then the functions in the order of the specification.
typedef struct { unsigned char version[2]; void *function[68]; } list;

static void *function(const char *path, int at) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	list *functions = NULL;
	unsigned long (*get)(list **) = library ? (unsigned long (*)(list **))dlsym(library, "C_GetFunctionList") : NULL;
	int ok = get && !get(&functions) && functions;
	if (library) dlclose(library); // the one that miekg/pkcs11 opened stays
	return ok ? functions->function[at] : NULL;
}

enum { FUNCTION_NOT_SUPPORTED = 0x54 };

static unsigned long call(const char *path, int at, int count, const unsigned long *a) {
	typedef unsigned long word;
	void *f = function(path, at);
	if (f && count == 3) return ((word (*)(word, word, word))f)(a[0], a[1], a[2]);
	if (f && count == 4) return ((word (*)(word, word, word, word))f)(a[0], a[1], a[2], a[3]);
	if (f && count == 5) return ((word (*)(word, word, word, word, word))f)(a[0], a[1], a[2], a[3], a[4]);
	return FUNCTION_NOT_SUPPORTED;
}
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"
)

// places are those of functions in CK_FUNCTION_LIST: there are libraries that export nothing but C_GetFunctionList.
var places = map[string]C.int{"C_InitToken": 9, "C_InitPIN": 10, "C_SetPIN": 11}

// call calls a function of the library, which is loaded already; its arguments are numbers and pointers, which a long can hold (v2.40, section 2.2).
func (m *Module) call(name string, arguments ...uintptr) error {
	path := C.CString(m.cfg.Path)
	defer C.free(unsafe.Pointer(path))
	code := C.call(path, places[name], C.int(len(arguments)), (*C.ulong)(unsafe.Pointer(unsafe.SliceData(arguments))))
	if code == pkcs11.CKR_OK {
		return nil
	}
	return whenPut(pkcs11.Error(code))
}
