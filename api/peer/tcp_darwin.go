package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// OfTCP gives the user who owns the socket at local of the connection that its other end sees as remote. Of a connection that was
// accepted, local is thus its remote address. ErrUnknown when there is no such socket, or it is closed already.
//
// It reads the system's list of connections, as netstat does: proc_pidfdinfo shows other people's sockets to root alone.
func OfTCP(local, remote netip.AddrPort) (User, error) {
	list, err := unix.SysctlRaw("net.inet.tcp.pcblist_n")
	if err != nil {
		return User{}, fmt.Errorf("find the user at %s: %w", local, err)
	}
	uid, err := ownerIn(list, local, remote)
	if err != nil {
		return User{}, fmt.Errorf("find the user at %s: %w", local, err)
	}
	return number(uid), nil
}

// The records of the list and where their members are (xnu: bsd/sys/socketvar.h, bsd/netinet/in_pcb.h; packed to 4 octets).
const (
	kindSocket = 0x01 // struct xsocket_n
	kindPCB    = 0x10 // struct xinpcb_n

	socketState, socketUID, socketLength = 26, 64, 68
	pcbRemotePort, pcbLocalPort          = 16, 18
	pcbVersion                           = 44 // inp_vflag
	pcbRemote, pcbLocal, pcbLength       = 48, 64, 80

	version4, version6 = 1, 2
	noDescriptor       = 0x1 // SS_NOFDREF: no process holds it any more
	connected          = 0x2 // SS_ISCONNECTED
)

// ownerIn walks the list: a head, then for each connection a record of its addresses and, after it, one of its socket.
func ownerIn(list []byte, local, remote netip.AddrPort) (uint32, error) {
	ne := binary.NativeEndian
	if len(list) < 4 {
		return 0, errors.New("the list of connections is empty")
	}
	found := false
	for rest := list[min(aligned(ne.Uint32(list)), len(list)):]; len(rest) >= 8; {
		length, kind := int(ne.Uint32(rest)), ne.Uint32(rest[4:])
		if length < 8 || length > len(rest) {
			break
		}
		record := rest[:length]
		switch {
		case kind == kindPCB && length >= pcbLength:
			found = isPCB(record, local, remote)
		case kind == kindSocket && length >= socketLength && found:
			if state := ne.Uint16(record[socketState:]); state&connected == 0 || state&noDescriptor != 0 {
				return 0, ErrUnknown
			}
			return ne.Uint32(record[socketUID:]), nil
		}
		rest = rest[min(aligned(uint32(length)), len(rest)):]
	}
	return 0, ErrUnknown
}

func isPCB(record []byte, local, remote netip.AddrPort) bool {
	be := binary.BigEndian
	return be.Uint16(record[pcbLocalPort:]) == local.Port() && be.Uint16(record[pcbRemotePort:]) == remote.Port() &&
		address(record[pcbVersion], record[pcbLocal:pcbLocal+16]) == local.Addr().Unmap() &&
		address(record[pcbVersion], record[pcbRemote:pcbRemote+16]) == remote.Addr().Unmap()
}

// address reads one of IPv4 from the end of its 16 octets.
func address(version byte, b []byte) netip.Addr {
	if version&version4 != 0 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	if version&version6 != 0 {
		return netip.AddrFrom16([16]byte(b)).Unmap()
	}
	return netip.Addr{}
}

// aligned rounds up to 8 octets, as the list does.
func aligned(n uint32) int { return int((uint64(n) + 7) &^ 7) }
