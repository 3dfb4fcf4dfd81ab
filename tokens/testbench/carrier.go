//go:build linux

package testbench

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/testbench/piv"
)

// Carrier is a module that has one token to work with.
type Carrier struct {
	Name       string // of the module, as tokens/cards calls the product
	Path       string
	Parameters string // for C_Initialize
	Library    string // its manufacturerID in CK_INFO
	Maker      string // the token's manufacturerID in CK_TOKEN_INFO
	Label      string // of the token
	Apart      bool   // a login does not see what another writes meanwhile
	Change     func() // makes something about the module's tokens differ; nil where they come with the module and stay
}

// PIN is every token's, and SOPIN that of its security officer, on a PIV card the PUK.
const (
	PIN      = piv.PIN
	SOPIN    = piv.PUK
	WrongPIN = "654321"
)

// Where Debian has the modules.
const (
	libraries          = "/usr/lib/x86_64-linux-gnu/"
	SoftHSMLibrary     = "/usr/lib/softhsm/libsofthsm2.so"
	OpenSCLibrary      = libraries + "opensc-pkcs11.so"
	TPMLibrary         = libraries + "libtpm2_pkcs11.so.1"
	NSSLibrary         = libraries + "libsoftokn3.so"
	OpenCryptokiLib    = libraries + "opencryptoki/libopencryptoki.so.0"
	opencryptokiTokens = "/var/lib/opencryptoki"
	opencryptokiLog    = "/var/log/opencryptoki"
)

// All prepares every carrier of the bench, for programs started from now on: each module finds its token by the environment.
func All(t T) []Carrier {
	t.Helper()
	Need(t)
	readers := NewReaders(t)
	return []Carrier{SoftHSM(t), PIV(t, readers, 0), PIV(t, readers, 1), TPM(t), NSS(t), OpenCryptoki(t), GOST(t)}
}

// SoftHSM makes a soft token of SoftHSM.
func SoftHSM(t T) Carrier {
	t.Helper()
	folder := t.TempDir()
	conf := filepath.Join(folder, "softhsm2.conf")
	write(t, conf, "directories.tokendir = %s\nobjectstore.backend = file\nslots.removable = true\nlog.level = ERROR\n", folder)
	t.Setenv("SOFTHSM2_CONF", conf)
	c := Carrier{Name: "SoftHSM", Path: SoftHSMLibrary, Library: "SoftHSM", Maker: "SoftHSM project", Label: "soft"}
	create := func(label string) {
		run(t, nil, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SOPIN)
	}
	create(c.Label)
	c.Change = func() { create("another") }
	return c
}

// PIV puts a virtual card into a reader, 0 or 1, for OpenSC.
func PIV(t T, readers *Readers, reader int) Carrier {
	t.Helper()
	holder := []string{"Ivanov Ivan", "Petrov Petr"}[reader]
	inserted := readers.Insert(t, reader, piv.New(holder))
	return Carrier{Name: "OpenSC", Path: OpenSCLibrary, Library: "OpenSC Project", Maker: "piv_II", Label: holder, Change: inserted.Remove}
}

// GOST builds the test module: a token with GOST, EC and RSA keys.
func GOST(t T) Carrier {
	t.Helper()
	library := testmodule.Build(t)
	testmodule.Control(t, library, "key none", "pin "+PIN)
	return Carrier{Name: "Test", Path: library, Library: "Pero", Maker: "Pero", Label: "Test token",
		Change: func() { testmodule.Control(t, library, "key none", "present 0") }}
}

// NSS makes a data base of NSS, which its softokn wants to be told of in C_Initialize.
func NSS(t T) Carrier {
	t.Helper()
	folder := t.TempDir()
	c := Carrier{Name: "NSS", Path: NSSLibrary, Library: "Mozilla Foundation", Maker: "Mozilla Foundation", Label: "NSS Certificate DB"}
	password := filepath.Join(folder, "password")
	write(t, password, "%s\n", PIN)
	run(t, nil, "certutil", "-N", "-d", "sql:"+folder, "-f", password)
	c.Parameters = fmt.Sprintf("configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags= ", folder)
	return c
}

func write(t T, path, format string, args ...any) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}
