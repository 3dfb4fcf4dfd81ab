// Package testmodule builds a real PKCS#11 module for tests: one token that makes and keeps keys (GOST R 34.10-2012 as Rutoken has them, EC,
// RSA) by OpenSSL's libcrypto and its GOST engine, and does what no soft token does: a PIN that locks, a PIN pad, a key that always
// authenticates, a read-only token, removal, a module that crashes or hangs, a token whose signatures come in the wrong order.
//
// Programs that are no Go tests have it built by one line:
//
//	go run ./tokens/p11/testmodule/build OUT.so
//
// and need to write its control file only: OUT.so.control, which may be empty. The PIN is 1234.
//
// The module obeys a control file, which it reads anew at each call: the file that the environment variable PERO_TEST_MODULE_CONTROL names,
// or, without it, the library's own path with ".control" at the end (Build gives each test a copy of its own). One setting a line, a
// word and its value; what is absent has the value in brackets:
//
//	present 0|1         [1] the token is in the reader; sessions die when it is not
//	label TEXT          [Test token]
//	serial TEXT         [0123456789abcdef]
//	model TEXT          [Test card]
//	manufacturer TEXT   [Pero] of the token
//	library TEXT        [Pero] manufacturer of the library (CK_INFO)
//	key KIND            [ec] what is there from the beginning, CKA_ID 01 with its certificate: ec (P-256), rsa (2048), gost256 (CryptoPro-A),
//	                    gost512 (TC26-512-A), none. Another KIND hides that of the one before. Keys made later are there always.
//	raw 0|1             [1] the CKA_VALUE of a GOST public key is X || Y, as Rutoken has it; 0: in a DER OCTET STRING, as OpenSC has it
//	nodigest 0|1        [0] CKA_GOSTR3411_PARAMS of GOST keys cannot be read
//	signature HOW       [right] how signatures come: right, wrong, other (of a key that is not there), and of GOST keys swapped (r || s),
//	                    reversed (all octets), little (each half)
//	old 0|1             [0] it lists the GOST mechanisms of 2001 only
//	pin TEXT            [1234] 4 to 16 octets
//	tries N             [3] wrong PINs until it locks
//	pinset 0|1          [1] a user PIN is there (CKF_USER_PIN_INITIALIZED)
//	uninitialized 0|1   [0]
//	tobechanged 0|1     [0] CKF_USER_PIN_TO_BE_CHANGED, until the PIN is set
//	expired 0|1         [0] the right PIN gets CKR_PIN_EXPIRED at C_Login, until it is set
//	alphabet digits     a new PIN with anything else gets CKR_PIN_INVALID
//	weak TEXT           this new PIN gets CKR_PIN_TOO_WEAK
//	spiteful 0|1        [0] a new PIN that is refused spends a try of the SO-PIN or PIN that came with it
//	sopin TEXT          [87654321]
//	sotries N           [3] wrong SO-PINs until that locks
//	import 0|1          [1] C_CreateObject takes keys
//	unblock puk         a locked PIN is set by C_SetPIN without a login, with the SO-PIN for the old PIN; else by C_Login(CKU_SO) and C_InitPIN
//	readonly 0|1        [0] CKF_WRITE_PROTECTED
//	always 0|1          [0] CKA_ALWAYS_AUTHENTICATE
//	pinpad 0|1          [0] CKF_PROTECTED_AUTHENTICATION_PATH; a PIN from the program is refused
//	pad right|wrong|cancel|wait  [right] what the person does at the pad; wait: nothing yet
//	nopublic 0|1        [0] public key objects are hidden
//	nocertificate 0|1   [0] certificates are hidden
//	neighbour 0|1       [0] a second reader, before this one, whose card cannot be read
//	sessions N          [0] how many can be open; 0: enough
//	torn N              [0] the first N calls of C_CreateObject say CKR_OK and leave out CKA_VALUE and CKA_SUBJECT
//	reader TEXT         [Test reader] the slot's description
//	many N              [0] the certificate of 01 is there N times more
//	large N             [0] ... and once more with a CKA_VALUE of N octets
//	crash FUNCTION      abort() when it is called: "crash C_Sign"
//	core FUNCTION       abort() that the program's own handler does not see: it leaves a core file where it may
//	segv FUNCTION       SIGSEGV
//	exit FUNCTION       exit(0): the library ends the process
//	hang FUNCTION       it does not return while the line stands
//	spin FUNCTION       it does not return, and is busy with it
//	slow FUNCTION MS    it takes so many milliseconds more
//	crashafter FUNCTION abort() when its work is done; hangafter FUNCTION: it does not return then
//	print FUNCTION N    N octets on the standard output, without an end of line, and N on the standard error, with many and with what is no text
//	fail FUNCTION CODE  it returns CODE: "fail C_GenerateKeyPair 0x31"
//	failafter FUNCTION CODE  it returns CODE when its work is done: C_Login, C_Sign, C_GenerateKeyPair, C_CreateObject, C_DestroyObject, C_SetPIN,
//	                    C_InitPIN or C_InitToken
//	handle FUNCTION N   C_OpenSession, C_GenerateKeyPair or C_CreateObject says that what it made has the handle N
//	minpin N, maxpin N  [4, 16] the lengths of a PIN that it tells, whatever it takes
//	count FUNCTION N [M]  C_GetSlotList, C_GetMechanismList, C_FindObjects or C_Sign says that there are N, or so many octets, and M when it is
//	                    called with the room; the room is what it was told, the contents are what there is
//	length ATTRIBUTE N [M]  likewise C_GetAttributeValue of one attribute: "length 0x11 0x10000000000"
//
// A value of TEXT is taken as it is, UTF-8 or not.
//
// A context-specific login is called C_Login(CKU_CONTEXT_SPECIFIC) in such lines. Beside the control file the module keeps what outlives a
// process: CONTROL.objects (a folder), CONTROL.tries and CONTROL.sotries (the counts of wrong PINs and SO-PINs, as a card does, so all
// processes see them), CONTROL.userpin, CONTROL.sopin and CONTROL.label once they were set, CONTROL.KIND.pem (the first key and its
// certificate, for other programs), and CONTROL.calls (the name of each function called, one a line, and "hangs FUNCTION" when it
// does not return). Removing them gives a new token.
// The person at the PIN pad chooses 9876 for a new PIN.
package testmodule

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

//go:embed testdata
var source embed.FS

// Env names the control file.
const Env = "PERO_TEST_MODULE_CONTROL"

// T is what of testing.TB is needed.
type T interface {
	Helper()
	Fatal(args ...any)
	TempDir() string
}

// Build compiles the module, once in a process, and puts it into a folder of the test's own. Its control file goes beside it (path + ".control").
func Build(t T) string {
	t.Helper()
	library, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "libtestmodule.so")
	if err := os.WriteFile(path, library, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

var compiled = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "testmodule")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	library := filepath.Join(dir, "module.so")
	if err := Compile(library); err != nil {
		return nil, err
	}
	return os.ReadFile(library)
})

// Compile builds the module as the file library.
func Compile(library string) error {
	dir, err := os.MkdirTemp("", "testmodule")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, source); err != nil {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(dir, "testdata", "*.c"))
	if err != nil {
		return err
	}
	args := []string{"-std=gnu11", "-D_GNU_SOURCE", "-DOPENSSL_SUPPRESS_DEPRECATED", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC",
		"-fvisibility=hidden", "-pthread", "-I/usr/include/p11-kit-1", "-o", library}
	if out, err := exec.Command("gcc", append(append(args, sources...), "-lcrypto", "-ldl")...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the test module: %w\n%s\ngcc, libssl-dev and libp11-kit-dev are needed: run make deps", err, out)
	}
	return nil
}

// Control writes the control file of a library that Build gave. It is replaced as a whole, so the module never reads half of it.
func Control(t T, library string, settings ...string) {
	t.Helper()
	path := library + ".control"
	if err := os.WriteFile(path+".new", []byte(strings.Join(settings, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// Tries gives the count of wrong PINs ("tries") or SO-PINs ("sotries") that the card keeps.
func Tries(t T, library, counter string) int {
	t.Helper()
	text, err := os.ReadFile(library + ".control." + counter)
	if os.IsNotExist(err) {
		return 0
	}
	n, e := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := errors.Join(err, e); err != nil {
		t.Fatal(err)
	}
	return n
}

// Calls counts how often a function was called so far, or, by "hangs FUNCTION", how often it did not return.
func Calls(t T, library, function string) int {
	t.Helper()
	log, err := os.ReadFile(library + ".control.calls")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(log)) {
		if strings.TrimSpace(line) == function {
			count++
		}
	}
	return count
}
