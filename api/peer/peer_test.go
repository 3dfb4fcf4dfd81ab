//go:build unix

package peer_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api/peer"
)

// pair gives both ends of a connection within this process.
func pair(t testing.TB, network, addr string) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Skip("this machine has no such address: ", err)
	}
	defer l.Close()
	client, err = net.Dial(network, l.Addr().String())
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func ends(server net.Conn) (local, remote netip.AddrPort) {
	return netip.MustParseAddrPort(server.RemoteAddr().String()), netip.MustParseAddrPort(server.LocalAddr().String())
}

func TestOwnConnection(t *testing.T) {
	own, err := peer.Self()
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(os.Geteuid()), own.ID)
	for network, addr := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			_, server := pair(t, network, addr)
			local, remote := ends(server)
			who, err := peer.OfTCP(local, remote)
			require.NoError(t, err)
			require.Equal(t, own, who)
			mapped := netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), local.Port())
			who, err = peer.OfTCP(mapped, remote)
			require.NoError(t, err)
			require.Equal(t, own, who)
		})
	}
}

// A socket that has closed is reported by the system with user 0: it must not pass for root's.
func TestClosedConnection(t *testing.T) {
	client, server := pair(t, "tcp4", "127.0.0.1:0")
	local, remote := ends(server)
	require.NoError(t, server.Close())
	require.NoError(t, client.Close())
	_, err := peer.OfTCP(local, remote)
	require.ErrorIs(t, err, peer.ErrUnknown)
	_, err = peer.OfTCP(netip.MustParseAddrPort("127.0.0.1:1"), remote)
	require.ErrorIs(t, err, peer.ErrUnknown)
}

func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can try as another user")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	c := exec.Command("bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/"$1"; read -r -u 3`, "talk", port)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	require.NoError(t, c.Start())
	server, err := l.Accept()
	require.NoError(t, err)
	local, remote := ends(server)
	who, err := peer.OfTCP(local, remote)
	require.NoError(t, err)
	require.Equal(t, "65534", who.ID)
	require.NoError(t, server.Close())
	c.Wait()
}

func TestUnixSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := l.Accept()
	require.NoError(t, err)
	defer server.Close()
	for _, c := range []net.Conn{client, server} {
		who, err := peer.OfSocket(c.(*net.UnixConn))
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(os.Geteuid()), who.ID)
	}
}

// The look-up beside 5,000 open sockets tells what it told before; what it costs is logged, for it depends on the machine.
func TestManySockets(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	const many = 5000
	if limit.Cur < many+500 {
		t.Skip("this user may open too few files: ", limit.Cur)
	}
	_, server := pair(t, "tcp4", "127.0.0.1:0")
	local, remote := ends(server)
	look := func() time.Duration {
		const times = 500
		start := time.Now()
		for range times {
			_, err := peer.OfTCP(local, remote)
			require.NoError(t, err)
		}
		return time.Since(start) / times
	}
	few := look()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for range many / 2 {
		c, err := net.Dial("tcp4", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		s, err := l.Accept()
		require.NoError(t, err)
		defer s.Close()
	}
	t.Logf("one look-up: %v, beside %d open sockets: %v", few, many, look())
}
