package main_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// program builds pero as people get it: the scripts see it from outside, and it starts children of itself.
func program(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "pero"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build pero: %v\n%s", err, out)
	}
	return dir
}

func TestScripts(t *testing.T) {
	for _, name := range []string{"openssl", "softhsm2-util"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is missing: run make deps", name)
		}
	}
	bin := program(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// The window's program belongs to the script: it answers from a file of its own.
			dialogs := pinentrytest.Build(env.T().(testing.TB))
			listen, err := freePort()
			if err != nil {
				return err
			}
			state := filepath.Join(env.WorkDir, "state")
			for _, dir := range []string{state, filepath.Join(env.WorkDir, "etc"), filepath.Join(env.WorkDir, "softhsm")} {
				if err := os.Mkdir(dir, 0o700); err != nil {
					return err
				}
			}
			// A program of its own for each script: the children are found by its path.
			own := filepath.Join(env.WorkDir, "bin")
			if err := errors.Join(os.Mkdir(own, 0o700), os.Link(filepath.Join(bin, "pero"), filepath.Join(own, "pero"))); err != nil {
				return err
			}
			env.Setenv("PATH", own+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("BIN", own)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("LC_ALL", "C.UTF-8")
			env.Setenv("PERO_STATE_DIR", state)
			env.Setenv("CONFIG", filepath.Join(env.WorkDir, "etc", "pero.toml"))
			env.Setenv("DIALOGS", dialogs)
			env.Setenv("LISTEN", listen)
			env.Setenv("SOFTHSM2_CONF", filepath.Join(env.WorkDir, "etc", "softhsm2.conf"))
			if err := os.WriteFile(env.Getenv("SOFTHSM2_CONF"), []byte("directories.tokendir = "+filepath.Join(env.WorkDir, "softhsm")+"\nobjectstore.backend = file\nslots.removable = true\n"), 0o600); err != nil {
				return err
			}
			return os.WriteFile(env.Getenv("CONFIG"), fmt.Appendf(nil, "listen = %q\n[window]\npinentry = %q\ndialog = %q\n", listen, filepath.Join(dialogs, "pinentry"), filepath.Join(dialogs, "pinentry")), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"answers": answers, "dialogs": dialogs, "hello": hello, "configure": configure, "setenv-stdout": setenvStdout, "token": token,
		},
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// answers LINE...: what the windows to come are answered, one line each.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("DIALOGS"), "answers"), []byte(strings.Join(args, "\n")+"\n"), 0o600))
	for _, name := range []string{"answers.next", "transcript"} {
		if err := os.Remove(filepath.Join(ts.Getenv("DIALOGS"), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			ts.Fatalf("%v", err)
		}
	}
}

// dialogs FILE: writes what the windows since the last answers showed to FILE.
func dialogs(ts *testscript.TestScript, _ bool, args []string) {
	octets, err := os.ReadFile(filepath.Join(ts.Getenv("DIALOGS"), "transcript"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), octets, 0o600))
}

// configure LINE...: adds lines to the configuration.
func configure(ts *testscript.TestScript, _ bool, args []string) {
	octets, err := os.ReadFile(ts.Getenv("CONFIG"))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.Getenv("CONFIG"), append(octets, strings.Join(args, "\n")+"\n"...), 0o600))
}

// token SETTING...: a PKCS#11 token that obeys the settings of package testmodule, by the module $WORK/token.so.
func token(ts *testscript.TestScript, _ bool, args []string) {
	library := ts.MkAbs("token.so")
	if _, err := os.Stat(library); errors.Is(err, os.ErrNotExist) {
		ts.Check(testmodule.Compile(library))
	}
	ts.Check(os.WriteFile(library+".control", []byte(strings.Join(args, "\n")+"\n"), 0o600))
}

// setenv-stdout NAME TEXT: keeps the word that follows TEXT in the last standard output.
func setenvStdout(ts *testscript.TestScript, _ bool, args []string) {
	_, rest, found := strings.Cut(ts.ReadFile("stdout"), args[1])
	if !found {
		ts.Fatalf("%q is not in the output", args[1])
	}
	ts.Setenv(args[0], rest[:strings.IndexFunc(rest, func(r rune) bool { return strings.ContainsRune("\"\n ,", r) })])
}

// hello ORIGIN ACCESS: a page of ORIGIN connects to the agent, which may still be starting, and is told ACCESS.
func hello(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := ws.Dial(ctx, ts.Getenv("LISTEN"), args[0])
		if err != nil {
			select {
			case <-ctx.Done():
				ts.Fatalf("the agent does not answer: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		client := api.NewClient(conn)
		r, err := client.Hello(ctx, api.Caller{}, api.HelloParams{Client: "script"})
		ts.Check(err)
		if r.Access == "granted" { // the list comes from children, which run from then on
			_, err := client.Tokens(ctx, api.Caller{})
			ts.Check(err)
		}
		ts.Check(client.Close())
		if r.Product != "pero" || r.Protocol != 1 || r.Access != args[1] {
			ts.Fatalf("%s is told %+v, not %s", args[0], r, args[1])
		}
		return
	}
}
