package host

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11"
)

// The test binary is its own token-host: started with this argument it serves a module that fails as Options.Module.Path says:
// "FAULT CALL", for instance "crash sign".
const childArgument = "token-host-of-the-test"

// With these it runs the real module and window: as a child, and as a parent that waits for its window for ever.
const (
	RealChild  = "real-token-host-of-the-test"
	RealParent = "parent-of-the-test"
)

// SHA256ECDSA is what the tests sign with.
var SHA256ECDSA = tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}

func realParts(o Options) (tokens.Module, Window, error) {
	return p11.New(p11.Config{Name: o.Module.Name, Path: o.Module.Path, Log: slog.Default()}), window.New(window.Config{Pinentry: o.Window.Pinentry, Language: o.Language}), nil
}

func parent(library, pinentry, mark string) error {
	s := New(Options{Command: []string{os.Args[0], RealChild, mark}, Module: Module{Name: "Card", Kind: "pkcs11", Path: library}, Window: WindowConfig{Pinentry: pinentry}})
	list, err := s.Tokens(context.Background())
	if err != nil || len(list) == 0 {
		return err
	}
	_, err = s.Open(context.Background(), list[0].ID, tokens.Prompt{Act: tokens.ActSign, Language: "en"})
	fmt.Println(err)
	s.Close()
	fmt.Println("waiting")
	select {}
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == RealChild || os.Args[1] == RealParent) {
		err := error(nil)
		if os.Args[1] == RealChild {
			err = Serve(context.Background(), os.Stdin, os.Stdout, realParts)
		} else {
			err = parent(os.Args[2], os.Args[3], os.Args[4])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) < 2 || os.Args[1] != childArgument {
		os.Exit(m.Run())
	}
	signal.Ignore(syscall.SIGTERM) // a library may do such a thing; the child must go all the same
	err := Serve(context.Background(), os.Stdin, os.Stdout, func(o Options) (tokens.Module, Window, error) {
		if o.Module.Kind == "unopenable" {
			return nil, nil, fmt.Errorf("no library at %s", o.Module.Path)
		}
		fault, call, _ := strings.Cut(o.Module.Path, " ")
		w := &person{answers: strings.Split(o.Window.Pinentry, ",")}
		m := &faulty{card: newCard(), fault: fault, call: call}
		if o.Module.Kind == "file" {
			return &faultyFolder{m, &folder{card: m.card}}, w, nil
		}
		if call == "window" {
			return m, faultyWindow{w, m}, nil
		}
		return m, w, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// faulty is a card whose driver fails in one call.
type faulty struct {
	*card
	fault, call string
}

func (f *faulty) maybe(call string) {
	if call != f.call {
		return
	}
	switch f.fault {
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case "panic":
		panic("in the driver")
	case "exit":
		os.Exit(0)
	case "hang":
		select {}
	case "spin":
		for n := 0; ; n++ { // busy, not waiting
		}
	case "stop": // no thread runs any more, not even the one that answers pings
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {}
	case "print": // what libraries print must not reach the pipe
		syscall.Write(1, []byte("debug: \x00\x00\x00\x05garbage on standard output\n"))
		syscall.Write(2, []byte("debug: on standard error\n"))
	case "dial":
		dial()
	case "flood":
		line := []byte(strings.Repeat("x", 4095) + "\n")
		for range 256 {
			syscall.Write(1, line)
		}
	}
}

func (f *faulty) Tokens(ctx context.Context) ([]tokens.Token, error) {
	f.maybe("tokens")
	return f.card.Tokens(ctx)
}

func (f *faulty) Objects(ctx context.Context, id tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	f.maybe("objects")
	return f.card.Objects(ctx, id)
}

func (f *faulty) Watch(ctx context.Context) <-chan tokens.Event {
	if f.call == "watch" {
		time.AfterFunc(20*time.Millisecond, func() { f.maybe("watch") })
	}
	if f.fault == "event" {
		f.changed <- tokens.Event{}
	}
	return f.card.Watch(ctx)
}

func (f *faulty) Login(ctx context.Context, id tokens.ID, pin *tokens.PIN, again func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	f.maybe("login")
	s, err := f.card.Login(ctx, id, pin, again)
	if err != nil {
		return nil, err
	}
	return &faultySession{s, f}, nil
}

type faultySession struct {
	tokens.Session
	f *faulty
}

func (s *faultySession) Sign(ctx context.Context, key tokens.KeyID, alg tokens.Algorithm, digest []byte) ([]byte, error) {
	if string(digest) != "good" {
		s.f.maybe("sign")
	}
	return s.Session.Sign(ctx, key, alg, digest)
}

func (s *faultySession) Generate(ctx context.Context, spec tokens.KeySpec) (tokens.Key, error) {
	s.f.maybe("generate")
	return s.Session.Generate(ctx, spec)
}

func (s *faultySession) Install(ctx context.Context, key tokens.KeyID, chain [][]byte) error {
	s.f.maybe("install")
	return s.Session.Install(ctx, key, chain)
}

func (s *faultySession) Close() error {
	s.f.maybe("close")
	return s.Session.Close()
}

type faultyWindow struct {
	*person
	f *faulty
}

func (w faultyWindow) PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	w.f.maybe("window")
	return w.person.PIN(ctx, p, s)
}

type faultyFolder struct {
	*faulty
	files *folder
}

func (f *faultyFolder) Copy(ctx context.Context, id tokens.ID, pin *tokens.PIN, path string) error {
	f.maybe("copy")
	return f.files.Copy(ctx, id, pin, path)
}

func (f *faultyFolder) Adopt(ctx context.Context, path string, pin *tokens.PIN) (tokens.Token, error) {
	return f.files.Adopt(ctx, path, pin)
}
