package host

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// dial is a library that tries every way out of its process that it knows, and prints how it fared.
func dial() {
	for name, family := range map[string]int{"unix": unix.AF_UNIX, "netlink": unix.AF_NETLINK, "inet": unix.AF_INET, "inet6": unix.AF_INET6,
		"inet with more": unix.AF_INET | 1<<32, "packet": unix.AF_PACKET, "vsock": unix.AF_VSOCK} {
		fd, _, code := unix.Syscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_DGRAM, 0)
		if code == 0 {
			unix.Close(int(fd))
		}
		fmt.Fprintf(os.Stderr, "[%s: %t]\n", name, code == 0)
	}
	var parameters [120]byte
	_, _, code := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&parameters)), 0)
	fmt.Fprintf(os.Stderr, "[ring: %t]\n", code == 0)
	out, err := exec.Command("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/"+os.Getenv("LC_PORT")).CombinedOutput()
	fmt.Fprintf(os.Stderr, "[program: %t] %s\n", err == nil, out)
}

// A library cannot send what it learned anywhere, nor can a program that it starts.
func TestNoNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	t.Setenv("LC_PORT", port) // is passed on
	for display, free := range map[string]bool{":0": false, "unix:0": false, "": false, "localhost:10.0": true} {
		t.Run(display, func(t *testing.T) {
			t.Setenv("DISPLAY", display)
			s, out := newStore(t, "dial tokens")
			_, err := s.Tokens(t.Context())
			require.NoError(t, err)
			require.Eventually(t, func() bool { return strings.Contains(out.String(), "[program: ") }, 30*time.Second, 10*time.Millisecond)
			for _, local := range []string{"unix", "netlink"} {
				require.Contains(t, out.String(), "["+local+": true]")
			}
			for _, far := range []string{"inet", "inet6", "inet with more", "packet", "vsock", "program"} {
				if !free || far == "inet" || far == "program" { // the others are there on some machines only
					require.Contains(t, out.String(), fmt.Sprintf("[%s: %t]", far, free))
				}
			}
			if !free {
				require.Contains(t, out.String(), "[ring: false]")
			}
		})
	}
}
