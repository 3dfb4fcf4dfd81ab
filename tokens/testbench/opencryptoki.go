//go:build linux

package testbench

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// OpenCryptoki starts opencryptoki's pkcsslotd and makes its soft token ready. Its tokens lie in folders of the world's own.
func OpenCryptoki(t T) Carrier {
	t.Helper()
	group, err := user.LookupGroup("pkcs11")
	if err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{opencryptokiTokens + "/swtok/TOK_OBJ", "/run/lock/opencryptoki/swtok", opencryptokiLog} {
		if err := os.MkdirAll(folder, 0o770); err != nil {
			t.Fatal(err)
		}
		for ; folder != "/run/lock" && folder != "/var/lib" && folder != "/var/log"; folder = filepath.Dir(folder) {
			if err := os.Chown(folder, 0, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	serve(t, nil, "pkcsslotd", "-f")
	// A bare connection that is closed again would end it.
	eventually(t, "pkcsslotd answers", func() bool { return exec.Command("pkcsconf", "-t").Run() == nil })
	c := Carrier{Name: "opencryptoki", Path: OpenCryptokiLib, Library: "IBM", Maker: "IBM", Label: "ock"}
	tool := func(args ...string) {
		run(t, nil, "pkcs11-tool", append([]string{"--module", c.Path, "--slot", softTokenSlot}, args...)...)
	}
	create := func(label string) { tool("--init-token", "--label", label, "--so-pin", SOPIN) }
	create(c.Label)
	tool("--init-pin", "--so-pin", SOPIN, "--pin", PIN)
	c.Change = func() { create("another") }
	return c
}

// softTokenSlot is where opencryptoki.conf(5) of Debian has the soft token.
const softTokenSlot = "3"
