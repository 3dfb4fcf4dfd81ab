package tokens

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// lockedPages gives at least n octets of private memory. VirtualLock may be refused (the working set's quota); the PIN is still outside
// the Go heap and wiped.
func lockedPages(n int) []byte {
	page := windows.Getpagesize()
	size := uintptr((n + page - 1) / page * page)
	address, err := windows.VirtualAlloc(0, size, windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		panic("no memory for a PIN: " + err.Error())
	}
	_ = windows.VirtualLock(address, size)
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&address))), size)
}

func unlockPages(b []byte) {
	address := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	_ = windows.VirtualUnlock(address, uintptr(len(b)))
	_ = windows.VirtualFree(address, 0, windows.MEM_RELEASE)
}
