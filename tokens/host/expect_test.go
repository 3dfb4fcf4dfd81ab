package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

func (s *Store) processes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.children)
}

func TestExpectedChildServesOneActAndNoMore(t *testing.T) {
	long := quick
	long.spare = time.Minute
	s, _ := newStoreOf(t, Module{Name: "Test", Kind: "pkcs11"}, long)
	s.Expect(cardID)
	s.Expect(cardID)
	require.Equal(t, 1, s.processes())
	first, err := s.Open(t.Context(), cardID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(t, err)
	require.Equal(t, 1, s.processes(), "the expected child took the act")
	second, err := s.Open(t.Context(), cardID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(t, err)
	require.Equal(t, 2, s.processes(), "an act never shares a process with another")
	require.NoError(t, first.Close())
	require.NoError(t, second.Close())
	require.Eventually(t, func() bool { return s.processes() == 0 }, 10*time.Second, 10*time.Millisecond)
}

func TestExpectedChildThatNobodyTakesEnds(t *testing.T) {
	brief := quick
	brief.spare = 50 * time.Millisecond
	s, _ := newStoreOf(t, Module{Name: "Test", Kind: "pkcs11"}, brief)
	s.Expect(cardID)
	require.Equal(t, 1, s.processes())
	require.Eventually(t, func() bool { return s.processes() == 0 }, 10*time.Second, 10*time.Millisecond)
	session, err := s.Open(t.Context(), cardID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(t, err)
	require.NoError(t, session.Close())
}

func TestExpectedChildThatDiedIsNotUsed(t *testing.T) {
	long := quick
	long.spare = time.Minute
	s, _ := newStoreOf(t, Module{Name: "Test", Kind: "pkcs11"}, long)
	s.Expect(cardID)
	s.mu.Lock()
	c := s.spare
	s.mu.Unlock()
	c.stop()
	<-c.gone
	session, err := s.Open(t.Context(), cardID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(t, err)
	require.NoError(t, session.Close())
}
