package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Self gives the user this process runs as, and its session.
func Self() (User, error) { return ofProcess(windows.GetCurrentProcessId()) }

// OfTCP gives the user and the session of the process that owns the socket at local of the connection that its other end sees as
// remote. Of a connection that was accepted, local is thus its remote address. ErrUnknown when there is no such socket, or it is
// closed already.
func OfTCP(local, remote netip.AddrPort) (User, error) {
	pid, err := processOf(local, remote)
	if err == nil {
		var u User
		if u, err = ofProcess(pid); err == nil {
			return u, nil
		}
	}
	return User{}, fmt.Errorf("find the user at %s: %w", local, err)
}

// ofProcess gives the user and the session of a process. An account that is no administrator may not open the processes of others: of
// them it learns the session alone, which is in the list of processes.
func ofProcess(pid uint32) (User, error) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		session, err := sessionOf(pid)
		return User{Session: session}, err
	}
	defer windows.CloseHandle(process)
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		session, err := sessionOf(pid)
		return User{Session: session}, err
	}
	defer token.Close()
	who, err := token.GetTokenUser()
	if err != nil {
		return User{}, fmt.Errorf("read the user of process %d: %w", pid, err)
	}
	var session, n uint32
	if err := windows.GetTokenInformation(token, windows.TokenSessionId, (*byte)(unsafe.Pointer(&session)), uint32(unsafe.Sizeof(session)), &n); err != nil {
		return User{}, fmt.Errorf("read the session of process %d: %w", pid, err)
	}
	return User{ID: who.User.Sid.String(), Session: session}, nil
}

// sessionOf looks a process up in the system's list.
func sessionOf(pid uint32) (uint32, error) {
	list, err := grow(256<<10, func(b []byte, n *uint32) error {
		return windows.NtQuerySystemInformation(windows.SystemProcessInformation, unsafe.Pointer(&b[0]), uint32(len(b)), n)
	}, windows.STATUS_INFO_LENGTH_MISMATCH)
	if err != nil {
		return 0, fmt.Errorf("list the processes: %w", err)
	}
	for at := uintptr(0); at+unsafe.Sizeof(windows.SYSTEM_PROCESS_INFORMATION{}) <= uintptr(len(list)); {
		p := (*windows.SYSTEM_PROCESS_INFORMATION)(unsafe.Pointer(&list[at]))
		if uint32(p.UniqueProcessID) == pid {
			return p.SessionID, nil
		}
		if p.NextEntryOffset == 0 {
			break
		}
		at += uintptr(p.NextEntryOffset)
	}
	return 0, ErrUnknown
}

// iphlpapi.h, tcpmib.h
const (
	tcpTableOwnerPIDConnections = 4
	tcpStateEstablished         = 5
)

var getExtendedTCPTable = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")

// row tells where the members of a row of the table are: MIB_TCPROW_OWNER_PID and MIB_TCP6ROW_OWNER_PID. Ports are big-endian.
type row struct {
	family                                                    uintptr
	length                                                    int // of an IP address
	state, local, localPort, remote, remotePort, owner, whole int
}

var (
	row4 = row{family: windows.AF_INET, length: 4, state: 0, local: 4, localPort: 8, remote: 12, remotePort: 16, owner: 20, whole: 24}
	row6 = row{family: windows.AF_INET6, length: 16, local: 0, localPort: 20, remote: 24, remotePort: 44, state: 48, owner: 52, whole: 56}
)

// processOf finds the process that owns a connection's end.
func processOf(local, remote netip.AddrPort) (uint32, error) {
	r := row6
	if local.Addr().Unmap().Is4() {
		r = row4
	}
	table, err := grow(64<<10, func(b []byte, n *uint32) error {
		*n = uint32(len(b))
		code, _, _ := getExtendedTCPTable.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(n)), 0, r.family, tcpTableOwnerPIDConnections, 0)
		if code != 0 {
			return windows.Errno(code)
		}
		return nil
	}, windows.ERROR_INSUFFICIENT_BUFFER)
	if err != nil {
		return 0, fmt.Errorf("list the connections: %w", err)
	}
	ne := binary.NativeEndian
	rows := table[4:]
	for range ne.Uint32(table) {
		if len(rows) < r.whole {
			break
		}
		if ne.Uint32(rows[r.state:]) == tcpStateEstablished && r.is(rows[r.local:], rows[r.localPort:], local) && r.is(rows[r.remote:], rows[r.remotePort:], remote) {
			return ne.Uint32(rows[r.owner:]), nil
		}
		rows = rows[r.whole:]
	}
	return 0, ErrUnknown
}

func (r row) is(address, port []byte, want netip.AddrPort) bool {
	a, ok := netip.AddrFromSlice(address[:r.length])
	return ok && a == want.Addr().Unmap() && binary.BigEndian.Uint16(port) == want.Port()
}

// grow calls for a list with more and more room until it fits: it may have become longer meanwhile.
func grow(room int, call func(b []byte, n *uint32) error, tooSmall error) ([]byte, error) {
	for range 8 {
		b := make([]byte, room)
		var n uint32
		err := call(b, &n)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, tooSmall) {
			return nil, err
		}
		room = max(2*room, int(n)+4096)
	}
	return nil, tooSmall
}
