package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

func (s *Store) spareNow() *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spare
}

// After an act one process waits for the next, with no module loaded and nobody logged in; it ends by itself.
func TestAProcessWaitsForTheNextAct(t *testing.T) {
	l := quick
	l.next = time.Hour
	s, _ := newStoreOf(t, Module{}, l)
	act := func() *child {
		session, err := s.Open(t.Context(), cardID, tokens.Prompt{})
		require.NoError(t, err)
		c := session.(*login).child
		require.NoError(t, session.Close())
		return c
	}
	first := act()
	require.Eventually(t, func() bool { return s.spareNow() != nil }, 5*time.Second, time.Millisecond)
	spare := s.spareNow()
	require.NotSame(t, first, spare, "a login has a process of its own")
	s.Expect(cardID)
	s.Expect(cardID)
	require.Same(t, spare, s.spareNow(), "never more than one")
	require.Same(t, spare, act())

	s.mu.Lock()
	s.options.limits.next = 20 * time.Millisecond
	s.mu.Unlock()
	act()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.children) == 0
	}, 5*time.Second, time.Millisecond, "it ends by itself")
}
