//go:build linux

package trust_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/trust"
)

// The memory of the agent that had the authority made holds the leaves' key, which shows that the search finds keys, and not the root's.
func TestNoRootKeyInMemory(t *testing.T) {
	home := t.TempDir()
	_, agent, _ := startAgent(t, home)
	a, err := trust.Read(filepath.Join(home, "state"))
	require.NoError(t, err)
	leaf := uncompressed(t, a.Leaf(time.Now()).Leaf)
	found := keys(t, agent.Process.Pid, leaf, uncompressed(t, a.Root))
	require.Positive(t, found[0], "the key of the leaves")
	require.Zero(t, found[1], "the key of the root")
}

func uncompressed(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	k, err := c.PublicKey.(*ecdsa.PublicKey).ECDH()
	require.NoError(t, err)
	return k.Bytes()
}

// keys counts where the private keys of the public ones lie in a process, in either order of octets.
func keys(t *testing.T, pid int, publics ...[]byte) []int {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	require.NoError(t, err)
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	require.NoError(t, err)
	defer memory.Close()
	found := make([]int, len(publics))
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n < 3 || !strings.HasPrefix(mode, "rw") {
			continue
		}
		const page, word, size = 4096, 8, 32
		for ; from < to; from += page {
			part := make([]byte, page+size-word)
			if n, _ := memory.ReadAt(part, from); n < page { // not there, or the last one
				continue
			}
			for at := 0; at+size <= len(part); at += word {
				number := slices.Clone(part[at : at+size])
				if bytes.Count(number, []byte{0}) > 6 { // no key of ours, nearly surely, and much of memory
					continue
				}
				for range 2 {
					if k, err := ecdh.P256().NewPrivateKey(number); err == nil {
						for i, p := range publics {
							if bytes.Equal(k.PublicKey().Bytes(), p) {
								found[i]++
							}
						}
					}
					slices.Reverse(number)
				}
			}
		}
	}
	return found
}
