package pcsc

/*
#cgo LDFLAGS: -ldl
#include "pcsc_linux.h"
*/
import "C"

import (
	"sync"
	"unsafe"
)

var loaded = sync.OnceValue(func() bool { return C.load_service() != 0 })

// states gives dwEventState of each reader.
func states() map[string]uint32 {
	if !loaded() {
		return nil
	}
	var names [C.LONGEST_NAMES]C.char
	var flags [C.MOST_READERS]C.ulong
	length := C.reader_states(&names[0], &flags[0])
	states := map[string]uint32{}
	for i, name := range split(C.GoBytes(unsafe.Pointer(&names[0]), length)) {
		states[name] = uint32(flags[i])
	}
	return states
}

// split reads texts that end in a NUL each.
func split(names []byte) (list []string) {
	for begin, i := 0, 0; i < len(names); i++ {
		if names[i] != 0 {
			continue
		}
		if i > begin {
			list = append(list, string(names[begin:i]))
		}
		begin = i + 1
	}
	return list
}
