package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// cutNetwork keeps this process, and each program that it starts, from making sockets that reach other computers: a library for cards needs Unix's
// (pcscd, D-Bus, the display) and netlink's (udev) only. It is a filter of the kernel's (seccomp(2)), which nothing takes off again; where the kernel has
// none, or the display itself is reached over the network (ssh -X), all stays as it is.
func cutNetwork() error {
	abi, known := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if host, _, _ := strings.Cut(os.Getenv("DISPLAY"), ":"); !known || host != "" && host != "unix" {
		return nil
	}
	// Offsets in struct seccomp_data: nr 0, arch 4, args[0] 16, whose lower half the kernel takes for the family.
	const x32 = 0x40000000
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: abi, SkipTrue: 7}, // int 0x80 has other numbers for the same calls
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: x32, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_IO_URING_SETUP, SkipTrue: 4}, // a ring makes sockets without the call
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SOCKET, SkipTrue: 4},
		bpf.LoadAbsolute{Off: 16, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	runtime.LockOSThread() // the right to set a filter without root is the thread's
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	set := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	unsynchronized, _, code := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&set)))
	if errors.Is(code, unix.ENOSYS) || errors.Is(code, unix.EINVAL) {
		return nil
	}
	if code != 0 {
		return code
	}
	if unsynchronized != 0 {
		return fmt.Errorf("thread %d did not take the filter", unsynchronized)
	}
	return nil
}
