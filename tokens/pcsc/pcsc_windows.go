package pcsc

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	winscard  = windows.NewLazySystemDLL("winscard.dll")
	establish = winscard.NewProc("SCardEstablishContext")
	release   = winscard.NewProc("SCardReleaseContext")
	list      = winscard.NewProc("SCardListReadersW")
	status    = winscard.NewProc("SCardGetStatusChangeW")
)

const (
	scopeUser   = 0 // SCARD_SCOPE_USER
	mostReaders = 16
)

// readerState is SCARD_READERSTATEW.
type readerState struct {
	reader         *uint16
	user           uintptr
	current, event uint32
	atrLength      uint32
	atr            [36]byte
}

// states gives dwEventState of each reader.
func states() map[string]uint32 {
	var context uintptr
	if winscard.Load() != nil {
		return nil
	}
	if code, _, _ := establish.Call(scopeUser, 0, 0, uintptr(unsafe.Pointer(&context))); code != 0 {
		return nil
	}
	defer release.Call(context)
	names := make([]uint16, mostReaders*128)
	length := uint32(len(names))
	if code, _, _ := list.Call(context, 0, uintptr(unsafe.Pointer(&names[0])), uintptr(unsafe.Pointer(&length))); code != 0 {
		return nil
	}
	var asked []readerState
	for i := 0; names[i] != 0 && len(asked) < mostReaders; i++ {
		asked = append(asked, readerState{reader: &names[i]})
		for names[i] != 0 {
			i++
		}
	}
	if len(asked) == 0 {
		return nil
	}
	if code, _, _ := status.Call(context, 0, uintptr(unsafe.Pointer(&asked[0])), uintptr(len(asked))); code != 0 {
		return nil
	}
	states := map[string]uint32{}
	for _, r := range asked {
		states[windows.UTF16PtrToString(r.reader)] = r.event
	}
	return states
}
