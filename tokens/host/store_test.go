package host

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

const cardID tokens.ID = "0123456789abcdef0123456789abcdef"

// quick are limits for tests in which something hangs.
var quick = limits{
	list: 300 * time.Millisecond, load: time.Second, login: 300 * time.Millisecond, sign: 300 * time.Millisecond, generate: 300 * time.Millisecond,
	close: 300 * time.Millisecond, silence: 300 * time.Millisecond, person: 5 * time.Second, tick: 20 * time.Millisecond, look: 200 * time.Millisecond, grace: 200 * time.Millisecond,
}

func newStore(t *testing.T, path string, answers ...string) (*Store, *log) {
	return newStoreOf(t, Module{Name: "Test", Kind: "pkcs11", Path: path}, quick, answers...)
}

func newStoreOf(t testing.TB, m Module, l limits, answers ...string) (*Store, *log) {
	if len(answers) == 0 {
		answers = []string{"1234"}
	}
	out := &log{}
	s := New(Options{Command: []string{os.Args[0], childArgument}, Module: m, Window: WindowConfig{Pinentry: strings.Join(answers, ",")},
		Log: slog.New(slog.NewTextHandler(out, nil)), limits: l})
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.Empty(t, s.children, "no child is left")
	})
	return s, out
}

type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestEverythingGoesThroughThePipe(t *testing.T) {
	s, _ := newStore(t, "")
	list, err := s.Tokens(t.Context())
	require.NoError(t, err)
	require.Equal(t, []tokens.Token{newCard().token}, list)
	keys, certificates, err := s.Objects(t.Context(), cardID)
	require.NoError(t, err)
	require.Equal(t, []tokens.Key{{ID: "01", Algorithm: tokens.ECP256, Public: []byte{1, 2}, Label: "key"}}, keys)
	require.Equal(t, []tokens.Certificate{{DER: []byte{0x30, 0}, Key: "01"}}, certificates)
	_, _, err = s.Objects(t.Context(), "ff")
	require.ErrorIs(t, err, tokens.ErrNoToken)

	session, err := s.Open(t.Context(), cardID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(t, err)
	signature, err := session.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
	require.NoError(t, err)
	require.Equal(t, "signed:digest", string(signature))
	_, err = session.Sign(t.Context(), "02", sha256ECDSA, []byte("digest"))
	require.ErrorIs(t, err, tokens.ErrNoKey)
	key, err := session.Generate(t.Context(), tokens.KeySpec{ID: "0a", Algorithm: tokens.ECP384, Label: "new"})
	require.NoError(t, err)
	require.Equal(t, tokens.Key{ID: "0a", Algorithm: tokens.ECP384, Label: "new", Public: []byte{3}}, key)
	_, err = session.Generate(t.Context(), tokens.KeySpec{ID: "01"})
	require.ErrorIs(t, err, tokens.ErrExists)
	require.NoError(t, session.Install(t.Context(), "01", [][]byte{[]byte("leaf"), []byte("issuer")}))
	require.ErrorIs(t, session.Delete(t.Context(), "01"), tokens.ErrInUse)
	keys, err = session.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NoError(t, session.Close())
	require.NoError(t, session.Close(), "a second Close is nothing")
	_, err = session.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
	require.Error(t, err)

	_, err = s.Backup(t.Context(), cardID, tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrUnsupported, "a card cannot be copied")
}

func TestArchiveThroughThePipe(t *testing.T) {
	s, _ := newStoreOf(t, Module{Kind: "file"}, quick, "1234", "/copy")
	path, err := s.Backup(t.Context(), cardID, tokens.Prompt{Act: tokens.ActBackup})
	require.NoError(t, err)
	require.Equal(t, "/copy", path)
	s, _ = newStoreOf(t, Module{Kind: "file"}, quick, "/copy", "1234")
	token, err := s.Restore(t.Context(), tokens.Prompt{Act: tokens.ActRestore})
	require.NoError(t, err)
	require.Equal(t, tokens.Token{ID: "aa", Label: "/copy"}, token)
}

func TestErrorsKeepTheirIdentity(t *testing.T) {
	for answers, want := range map[string]error{"cancel": tokens.ErrCancelled, "9999,cancel": tokens.ErrPINIncorrect, "9999,9999,yes,9999": tokens.ErrPINIncorrect} {
		s, _ := newStore(t, "", strings.Split(answers, ",")...)
		_, err := s.Open(t.Context(), cardID, tokens.Prompt{})
		require.ErrorIs(t, err, want, answers)
	}
	s, _ := newStoreOf(t, Module{Kind: "unopenable", Path: "/nowhere.so"}, quick)
	_, err := s.Tokens(t.Context())
	require.ErrorContains(t, err, "no library at /nowhere.so")
	require.NotErrorIs(t, err, tokens.ErrModuleCrashed)
}

// A fault in any call is told to its caller as a crash, the process is gone, and the next act of a person works.
func TestFaultsOfAModule(t *testing.T) {
	for _, fault := range []string{"crash", "panic", "exit", "hang", "spin", "stop"} {
		for _, call := range []string{"tokens", "objects", "login", "window", "sign", "generate", "install", "close"} {
			if call == "window" && (fault == "hang" || fault == "spin") {
				continue // a window that waits is a person who thinks
			}
			t.Run(fault+" "+call, func(t *testing.T) {
				t.Parallel()
				s, _ := newStore(t, fault+" "+call)
				err := callAll(t.Context(), s)
				if call == "close" {
					require.False(t, err != nil && !isCrash(err), "%v", err)
				} else {
					require.ErrorIs(t, err, tokens.ErrModuleCrashed)
				}
				require.Eventually(t, func() bool {
					s.mu.Lock()
					defer s.mu.Unlock()
					for c := range s.children {
						if c != s.lister {
							return false
						}
					}
					return true
				}, 5*time.Second, 5*time.Millisecond, "the child is gone")
			})
		}
	}
}

func isCrash(err error) bool { return err != nil && strings.Contains(err.Error(), "crashed") }

func callAll(ctx context.Context, s *Store) error {
	if _, err := s.Tokens(ctx); err != nil {
		return err
	}
	if _, _, err := s.Objects(ctx, cardID); err != nil {
		return err
	}
	session, err := s.Open(ctx, cardID, tokens.Prompt{})
	if err != nil {
		return err
	}
	if _, err := session.Sign(ctx, "01", sha256ECDSA, []byte("digest")); err != nil {
		_ = session.Close()
		return err
	}
	if _, err := session.Generate(ctx, tokens.KeySpec{ID: "0a"}); err != nil {
		_ = session.Close()
		return err
	}
	if err := session.Install(ctx, "01", [][]byte{[]byte("leaf"), []byte("issuer")}); err != nil {
		_ = session.Close()
		return err
	}
	return session.Close()
}

// A crash during an act leaves the child that lists alone.
func TestACrashStaysWhereItIs(t *testing.T) {
	s, _ := newStore(t, "crash sign")
	_, err := s.Tokens(t.Context())
	require.NoError(t, err)
	lister := s.lister
	session, err := s.Open(t.Context(), cardID, tokens.Prompt{})
	require.NoError(t, err)
	_, err = session.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
	require.ErrorIs(t, err, tokens.ErrModuleCrashed)
	_, err = session.Sign(t.Context(), "01", sha256ECDSA, []byte("good"))
	require.ErrorIs(t, err, tokens.ErrModuleCrashed, "the login is gone for ever")
	require.NoError(t, session.Close())
	_, err = s.Tokens(t.Context())
	require.NoError(t, err)
	require.Same(t, lister, s.lister)
}

func TestOneHungSignatureFailsItsNeighboursOnlyOfThatLogin(t *testing.T) {
	s, _ := newStore(t, "hang sign")
	a, err := s.Open(t.Context(), cardID, tokens.Prompt{})
	require.NoError(t, err)
	b, err := s.Open(t.Context(), cardID, tokens.Prompt{})
	require.NoError(t, err)
	hung := make(chan error)
	go func() {
		_, err := a.Sign(context.Background(), "01", sha256ECDSA, []byte("digest"))
		hung <- err
	}()
	for range 100 { // no request waits behind the one that hangs
		_, err := a.Sign(t.Context(), "01", sha256ECDSA, []byte("good"))
		require.NoError(t, err)
	}
	require.ErrorIs(t, <-hung, tokens.ErrModuleCrashed)
	_, err = b.Sign(t.Context(), "01", sha256ECDSA, []byte("good"))
	require.NoError(t, err)
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}

func TestWhatAModulePrintsGoesToTheLog(t *testing.T) {
	s, out := newStore(t, "print tokens")
	_, err := s.Tokens(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return strings.Contains(out.String(), "garbage on standard output") && strings.Contains(out.String(), "on standard error")
	}, 5*time.Second, 5*time.Millisecond)

	s, out = newStore(t, "flood tokens")
	_, err = s.Tokens(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Contains(t, out.String(), "dropped")
	require.Less(t, len(out.String()), 2*mostPrinted)
}

func TestPageGone(t *testing.T) {
	s, _ := newStore(t, "", "hang")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.Open(ctx, cardID, tokens.Prompt{})
		failed <- err
	}()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.children) == 1
	}, 5*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.children) == 0
	}, 5*time.Second, time.Millisecond)
	require.NoError(t, s.breaker.allow(time.Now()), "that was no crash")
}

func TestNobodyAnswersTheChild(t *testing.T) {
	l := quick
	l.person = 50 * time.Millisecond
	s, _ := newStoreOf(t, Module{}, l, "hang")
	_, err := s.Open(t.Context(), cardID, tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrTimedOut)
}

func TestAPersonMayTakeLongerThanALogin(t *testing.T) {
	l := quick
	l.person = 1200 * time.Millisecond
	s, _ := newStoreOf(t, Module{}, l, "hang")
	began := time.Now()
	_, err := s.Open(t.Context(), cardID, tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrTimedOut, "the person's time is over, not the module's")
	require.Greater(t, time.Since(began), l.login)
}

func TestWatchGoesOnThroughCrashes(t *testing.T) {
	s, _ := newStore(t, "crash watch")
	ctx, cancel := context.WithCancel(t.Context())
	events := s.Watch(ctx)
	for range 2 { // its crash, its return
		select {
		case <-events:
		case <-time.After(20 * time.Second):
			t.Fatal("no event")
		}
	}
	cancel()
	for range events {
	}

	s, _ = newStore(t, "event")
	ctx, cancel = context.WithCancel(t.Context())
	a, b := s.Watch(ctx), s.Watch(t.Context())
	<-a
	<-b
	cancel()
	for range a {
	}
	require.NoError(t, s.Close())
	for range b {
	}
	_, err := s.Tokens(t.Context())
	require.Error(t, err)
}

func TestBackOff(t *testing.T) {
	var b breaker
	now := time.Now()
	require.NoError(t, b.allow(now))
	for i, pause := range []time.Duration{1, 2, 4, 8} {
		require.Equal(t, now.Add(pause*time.Second), b.crashed(now), "crash %d", i+1)
		require.ErrorIs(t, b.allow(now), tokens.ErrModuleCrashed)
		now = now.Add(pause * time.Second)
		require.NoError(t, b.allow(now))
	}
	require.Equal(t, now.Add(circuitPause), b.crashed(now), "the fifth within ten minutes")
	require.ErrorIs(t, b.allow(now.Add(circuitPause-time.Second)), tokens.ErrModuleCrashed)
	another := b
	require.Equal(t, now.Add(circuitPause), another.crashed(now.Add(time.Second)), "a child that ran all along ends no pause")
	now = now.Add(circuitPause)
	require.NoError(t, b.allow(now))
	require.Equal(t, now.Add(time.Second), b.crashed(now), "begins anew")
	now = now.Add(time.Hour)
	require.Equal(t, now.Add(time.Second), b.crashed(now), "an old crash is forgotten")
}

func TestRestartAfterThePause(t *testing.T) {
	s, _ := newStore(t, "crash tokens")
	_, err := s.Tokens(t.Context())
	require.ErrorIs(t, err, tokens.ErrModuleCrashed)
	_, err = s.Tokens(t.Context())
	require.ErrorIs(t, err, tokens.ErrModuleCrashed)
	require.ErrorContains(t, err, "started again in", "no new process so soon")
	s.mu.Lock()
	s.options.Module.Path = ""
	s.breaker.until = time.Now()
	s.mu.Unlock()
	_, err = s.Tokens(t.Context())
	require.NoError(t, err)
}

func TestNoSuchProgram(t *testing.T) {
	s := New(Options{Command: []string{filepath.Join(t.TempDir(), "absent")}})
	_, err := s.Tokens(t.Context())
	require.ErrorIs(t, err, tokens.ErrModuleCrashed)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, s.Close())
}

// A child that writes what it should not is ended. sh stands in for it.
func TestGarbageOnThePipe(t *testing.T) {
	for name, script := range map[string]string{
		"text":             `echo hello, I am no token-host; sleep 10`,
		"too long":         `printf '\377\377\377\377aaaaaaaaa'; sleep 10`,
		"unknown number":   `printf '\000\000\000\005\000\000\000\011\100'; sleep 10`,
		"unknown kind":     `printf '\000\000\000\005\000\000\000\001\077'; sleep 10`,
		"event unasked":    `printf '\000\000\000\005\000\000\000\001\102'; sleep 10`,
		"wrong shape":      `printf '\000\000\000\006\000\000\000\001\100\004'; sleep 10`,
		"octets left over": `printf '\000\000\000\007\000\000\000\001\100\000\000'; sleep 10`,
		"half a frame":     `printf '\000\000\000\007\000\000'`,
		"unknown failure":  `printf '\000\000\000\007\000\000\000\001\101\176\000'; sleep 10`,
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Command: []string{"/bin/sh", "-c", "head -c 20 >/dev/null; " + script}, limits: quick})
			_, err := s.Tokens(t.Context())
			require.ErrorIs(t, err, tokens.ErrModuleCrashed)
			require.NoError(t, s.Close())
		})
	}
}

func TestSignaturesOfManyAtOnce(t *testing.T) {
	s, _ := newStoreOf(t, Module{}, limits{})
	session, err := s.Open(t.Context(), cardID, tokens.Prompt{})
	require.NoError(t, err)
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for i := range 500 {
				digest := fmt.Sprintf("%d/%d", g, i)
				signature, err := session.Sign(t.Context(), "01", sha256ECDSA, []byte(digest))
				if err != nil || string(signature) != "signed:"+digest {
					t.Errorf("%s: %q, %v", digest, signature, err)
					return
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, session.Close())
}

func BenchmarkSign(b *testing.B) {
	s, _ := newStoreOf(b, Module{}, limits{})
	session, err := s.Open(b.Context(), cardID, tokens.Prompt{})
	require.NoError(b, err)
	digest := make([]byte, 32)
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if _, err := session.Sign(b.Context(), "01", sha256ECDSA, digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := session.Sign(b.Context(), "01", sha256ECDSA, digest); err != nil {
					b.Error(err)
				}
			}
		})
	})
	require.NoError(b, session.Close())
}

func BenchmarkOpen(b *testing.B) {
	s, _ := newStoreOf(b, Module{}, limits{})
	for b.Loop() {
		session, err := s.Open(b.Context(), cardID, tokens.Prompt{})
		require.NoError(b, err)
		require.NoError(b, session.Close())
	}
}

// What a login wrote is in the list when it has ended, also where the module that lists has read the token before.
func TestTokensAreReadAgainAfterAWrite(t *testing.T) {
	for name, act := range map[string]func(tokens.Session) error{
		"generate": func(s tokens.Session) error {
			_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256})
			return err
		},
		"install": func(s tokens.Session) error { return s.Install(t.Context(), "01", [][]byte{{1}, []byte("issuer")}) },
		"sign": func(s tokens.Session) error {
			_, err := s.Sign(t.Context(), "01", tokens.Algorithm{}, []byte("good"))
			return err
		},
	} {
		s, _ := newStore(t, "")
		model := func() string {
			list, err := s.Tokens(t.Context())
			require.NoError(t, err)
			return list[0].Model
		}
		before := model()
		session, err := s.Open(t.Context(), cardID, tokens.Prompt{})
		require.NoError(t, err)
		require.NoError(t, act(session))
		require.NoError(t, session.Close())
		if name == "sign" {
			require.Equal(t, before, model(), "signing changes nothing")
		} else {
			require.Equal(t, "read again", model(), name)
		}
	}
}
