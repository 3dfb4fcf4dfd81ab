//go:build linux

package testbench

import (
	"os"
	"os/exec"
	"path/filepath"
)

// The ports of swtpm; its clients take the control port to be the next one.
const tpmPort, tpmControl = "2321", "2322"

// TPM starts a software TPM (swtpm) and makes a token on it with tpm2-pkcs11. A TPM has room for three objects at a time; on real machines the kernel
// swaps them, here it is tpm2-abrmd on a message bus of its own.
func TPM(t T) Carrier {
	t.Helper()
	// swtpm and dbus-daemon take a comma for the end of a path, and t.TempDir has the test's name.
	state, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(state) })
	serve(t, nil, "swtpm", "socket", "--tpm2", "--tpmstate", "dir="+state, "--server", "type=tcp,bindaddr=127.0.0.1,port="+tpmPort,
		"--ctrl", "type=tcp,bindaddr=127.0.0.1,port="+tpmControl, "--flags", "not-need-init,startup-clear")
	eventually(t, "swtpm listens", func() bool { return listens("tcp", "127.0.0.1:"+tpmControl) })
	bus := filepath.Join(state, "bus")
	serve(t, nil, "dbus-daemon", "--session", "--nofork", "--address=unix:path="+bus)
	eventually(t, "the message bus listens", func() bool { return listens("unix", bus) })
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus)
	serve(t, nil, "tpm2-abrmd", "--session", "--allow-root", "--tcti=swtpm:host=127.0.0.1,port="+tpmPort)
	const broker = "com.intel.tss2.Tabrmd"
	eventually(t, "tpm2-abrmd answers", func() bool {
		return exec.Command("gdbus", "wait", "--session", "--timeout", "1", broker).Run() == nil
	})
	t.Setenv("TPM2_PKCS11_TCTI", "tabrmd:bus_type=session")
	t.Setenv("TPM2_PKCS11_STORE", t.TempDir())
	c := Carrier{Name: "TPM", Path: TPMLibrary, Library: "tpm2-software.github.io", Maker: "IBM", Label: "chip", Apart: true}
	tool := func(args ...string) { run(t, nil, "pkcs11-tool", append([]string{"--module", c.Path}, args...)...) }
	create := func(slot, label string) { // there is always one more slot, with a token that is not initialised
		tool("--init-token", "--slot-index", slot, "--label", label, "--so-pin", SOPIN)
		tool("--init-pin", "--token-label", label, "--so-pin", SOPIN, "--pin", PIN)
	}
	create("0", c.Label)
	c.Change = func() { create("1", "another") }
	return c
}
