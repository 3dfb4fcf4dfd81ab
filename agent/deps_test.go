package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const ours = "github.com/perosign/pero/"

// rooms is the plan of the house: what each package may import of ours, and why. A package that is not on it has no place yet: give
// it one here, with the reason.
var rooms = []struct {
	room string
	may  []string
	why  string
}{
	{"tokens", []string{"tokens/gost"}, "values only, identifiers and bytes: so a Store can stand behind a pipe"},
	{"tokens/gost", nil, "cryptography by the standards, on the standard library alone: it can be read and checked by itself"},
	{"tokens/cards", nil, "knowledge of modules is data; it must be readable before anything is loaded"},
	{"tokens/file", []string{"tokens", "tokens/file/keystore", "tokens/file/pkcs12", "tokens/gost"}, "one kind of carrier knows nothing of another, or of who asks"},
	{"tokens/file/pkcs12", []string{"tokens/gost"}, "a file format: bytes in, bytes out"},
	{"tokens/file/keystore", []string{"tokens", "tokens/file/pkcs12"}, "a password opens a file in one way, be it a carrier or brought to one"},
	{"tokens/pcsc", nil, "one question to the card service, for those who know modules"},
	{"tokens/p11", []string{"tokens", "tokens/cards", "tokens/file/keystore", "tokens/file/pkcs12", "tokens/gost", "tokens/pcsc"}, "the one room where a vendor's library is called; of files it has the format that keys are brought in, and how it is opened"},
	{"tokens/host", []string{"tokens"}, "it must not know what it carries: a module of any kind stands behind it"},
	{"tokens/tokentest", []string{"tokens", "tokens/gost"}, "the one suite sees a Store as callers do"},
	{"tokens/tokentest/published", nil, "finds data that tests judge by; any test may ask it"},
	{"api", nil, "the wire imports nothing of ours: a client in another program takes it alone"},
	{"api/apitest", []string{"api"}, "an agent for tests of the wire"},
	{"api/js", nil, "the page's module is a file; a portal embeds it and nothing else"},
	{"api/peer", nil, "who is at the other end is a fact of the system; the door, the service and local sockets all ask it"},
	{"api/ws", []string{"api", "api/peer"}, "the door hears a page before anyone knows what it wants: no tokens, no ceremonies behind it"},
	{"agent/locale", nil, "words are data"},
	{"agent/names", nil, "bytes in, bytes out"},
	{"agent/signature", []string{"agent/names", "tokens", "tokens/gost"}, "bytes in, bytes out: of tokens only the names of algorithms, no store, no window"},
	{"agent/journal", nil, "what happened must be written by a room that cannot be kept from it by the others"},
	{"agent/sites", nil, "who may ask is decided without knowing what is asked"},
	{"agent/config", []string{"agent/sites"}, "of our own it needs only what an origin is"},
	{"agent/status", []string{"agent/signature", "tokens"}, "it goes out to the network, so it must not reach tokens, windows or pages"},
	{"agent/trust", nil, "certificates in, browsers' stores out: it knows neither the door that serves them nor the words"},
	{"agent/window/sheet", nil, "both ends of a pipe know it"},
	{"agent/window/prompter", []string{"agent/window/sheet"}, "it shows what it is told and takes a PIN: no words, no tokens, no pages"},
	{"agent/window", []string{"agent/locale", "agent/window/sheet", "tokens"}, "it sees PINs, so it must not see pages, the network or the journal"},
	{"agent/handover", []string{"api/peer"}, "a connection goes through it unread"},
	{"agent/service", []string{"agent/handover", "api/peer", "api/ws", "installer"}, "of the door it has the rules for a port; no ceremony, token or window can be reached from the service"},
	{"installer", nil, "files for service managers are data"},
	{"agent/local", []string{"agent/locale", "api", "api/peer"}, "what the person's own programs say to the agent: no tokens, no windows, so that the tray needs none"},
	{"agent/tray", []string{"agent/local", "agent/locale", "api", "api/peer"}, "it draws what it is sent: no tokens, no journal, no settings"},
	{"agent/window/pinentrytest", nil, "a window's answers in tests"},
	{"agent/ceremony", []string{"agent/journal", "agent/locale", "agent/names", "agent/signature", "agent/sites", "agent/status", "api", "tokens"},
		"the only room where the others meet; of stores and windows it knows the interfaces, never the makers"},
	{"agent", []string{"agent/ceremony", "agent/config", "agent/handover", "agent/journal", "agent/local", "agent/locale", "agent/names", "agent/service", "agent/signature", "agent/sites", "agent/status", "agent/trust", "agent/window",
		"api", "api/ws", "tokens", "tokens/cards", "tokens/file", "tokens/host", "tokens/p11"}, "wiring: the makers are chosen here and nowhere else"},
	{"agent/bench", []string{"agent/handover", "agent/service", "agent/signature", "api", "api/js", "api/peer", "api/ws", "tokens/gost", "tokens/testbench", "tokens/testbench/piv"},
		"measures from outside, as a page does, beside the parts themselves; carriers come from the tests' bench, and the certificate for a key made there wants its request read"},
	{"portal", []string{"agent/names", "agent/signature", "api/js", "portal/ca", "tokens"}, "the other side of the wire: of the agent it has the formats, the names of algorithms and the page's module, nothing that runs"},
	{"portal/ca", []string{"agent/names", "agent/signature", "tokens", "tokens/gost"}, "an authority knows formats, not agents"},
}

// homes is where each outside library lives in what is shipped, and why it is let in there. Tests may use testify, and whatever they judge by.
var homes = []struct {
	library string // import path or its beginning
	rooms   []string
	why     string
}{
	{"github.com/ThalesGroup/crypto11", []string{"tokens/p11"}, "a module's life cycle has one owner"},
	{"github.com/miekg/pkcs11", []string{"tokens/p11"}, "a module's life cycle has one owner; cgo stays in one room"},
	{"github.com/gorilla/websocket", []string{"api/ws"}, "only the door speaks to the network; everyone else sees api.Conn"},
	{"github.com/go-json-experiment/json", []string{"api"}, "strictness of the wire is decided in one place"},
	{"golang.org/x/time/rate", []string{"api/ws"}, "limits are the door's"},
	{"github.com/spf13/", []string{"agent"}, "commands are the program's"},
	{"github.com/pelletier/go-toml/v2", []string{"agent/config"}, "settings are read in one place"},
	{"github.com/nicksnyder/go-i18n/v2", []string{"agent/locale"}, "one catalogue"},
	{"golang.org/x/text/language", []string{"agent/locale"}, "language tags belong to the catalogue"},
	{"golang.org/x/text/unicode/norm", []string{"tokens/file/keystore"}, "letters matter where a password becomes a key"},
	{"github.com/ncruces/zenity", []string{"agent/window"}, "the person is asked in one place"},
	{"golang.org/x/net/idna", []string{"agent/window"}, "the origin is shown in one place"},
	{"golang.org/x/net/publicsuffix", []string{"agent/window"}, "the origin is shown in one place"},
	{"golang.org/x/crypto/ocsp", []string{"agent/status"}, "it asks; what answers writes for itself, with GOST"},
	{"golang.org/x/crypto/cryptobyte", []string{"agent/names", "agent/signature", "portal/ca", "tokens/file/pkcs12", "tokens/p11"}, "DER is read and written where a format is at home"},
	{"github.com/gofrs/flock", []string{"agent/journal", "agent/sites", "agent/trust", "tokens/file"}, "each keeps files that several processes write"},
	{"golang.org/x/sys", []string{"agent/ceremony", "agent/handover", "agent/journal", "agent/local", "agent/service", "agent/tray", "agent/trust", "agent/window", "agent/window/prompter", "api/peer", "tokens", "tokens/file", "tokens/host", "tokens/pcsc"}, "the system's own calls"},
	{"github.com/kardianos/service", []string{"agent/service"}, "the service managers of three systems"},
	{"github.com/Microsoft/go-winio", []string{"agent/handover", "agent/local"}, "the service and the agent meet at a named pipe of Windows"},
	{"github.com/getlantern/systray", []string{"agent/tray"}, "it holds the main thread: no other program may"},
	{"github.com/gen2brain/beeep", []string{"agent/tray"}, "notices are the tray's"},
	{"github.com/godbus/dbus/v5", []string{"agent/tray"}, "only the tray has to do with a desktop's session"},
	{"modernc.org/sqlite", []string{"portal"}, "only the portal keeps people"},
	{"github.com/wneessen/go-mail", []string{"portal"}, "only the portal writes letters"},
	{"github.com/stretchr/testify", []string{"tokens/tokentest"}, "a suite for tests"},
	{"golang.org/x/net/bpf", []string{"tokens/host"}, "the jumps of the filter that keeps a library from the network"},
	{"golang.org/x/net/websocket", []string{"agent/bench"}, "a yardstick that is not our own door"},
}

// parcel is a package as "go list" tells it.
type parcel struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// everywhere lists our packages as they are on all three systems.
var everywhere = sync.OnceValues(func() ([]parcel, error) {
	var all []parcel
	for _, system := range []string{"linux", "windows", "darwin"} {
		list := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
		list.Dir = ".."
		list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=1")
		out, err := list.Output()
		if err != nil {
			return nil, err
		}
		for d := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p parcel
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
})

// shipped leaves out programs that only tests run.
func shipped(path string) bool {
	for _, part := range []string{"/test/", "/testmodule", "/testbench", "/pinentrytest/pinentry", "/testdata/", "/e2e"} {
		if strings.Contains(path+"/", part+"/") || strings.Contains(path, part) {
			return false
		}
	}
	return true
}

func external(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(path, ours)
}

func TestEveryRoomImportsWhatItMay(t *testing.T) {
	all, err := everywhere()
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, p := range all {
		room, ok := strings.CutPrefix(p.ImportPath, ours)
		if !ok || !shipped(p.ImportPath) {
			continue
		}
		i := slices.IndexFunc(rooms, func(r struct {
			room string
			may  []string
			why  string
		}) bool {
			return r.room == room
		})
		if i < 0 {
			t.Errorf("%s is not in the plan of the house: give it a place in rooms, with what it may import and why", room)
			continue
		}
		seen[room] = true
		for _, imported := range p.Imports {
			if other, ok := strings.CutPrefix(imported, ours); ok && !slices.Contains(rooms[i].may, other) {
				t.Errorf("%s imports %s, but: %s", room, other, rooms[i].why)
			}
		}
	}
	for _, r := range rooms {
		if !seen[r.room] {
			t.Errorf("%s is in the plan of the house but not there", r.room)
		}
	}
}

func TestEveryLibraryHasItsHome(t *testing.T) {
	all, err := everywhere()
	require.NoError(t, err)
	for _, p := range all {
		room := strings.TrimPrefix(p.ImportPath, ours)
		if !shipped(p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			if !external(imported) {
				continue
			}
			known := false
			for _, h := range homes {
				if imported != h.library && !strings.HasPrefix(imported, strings.TrimSuffix(h.library, "/")+"/") {
					continue
				}
				known = true
				if !slices.Contains(h.rooms, room) {
					t.Errorf("%s imports %s, whose home is %s: %s", room, imported, strings.Join(h.rooms, ", "), h.why)
				}
			}
			if !known {
				t.Errorf("%s imports %s, which has no home: name one in homes, with the reason", room, imported)
			}
		}
	}
}

// The portal is the other side of the wire: nothing of the agent that runs may come in by any way round.
func TestPortalIsTheOtherSide(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ours+"portal").Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, ours+"portal")
	for _, never := range []string{"agent/ceremony", "agent/window", "agent/journal", "agent/sites", "tokens/p11", "tokens/host", "tokens/file", "api/ws"} {
		require.NotContains(t, deps, ours+never)
	}
}

// docs/dependencies.md has a line with its reason for every module that is really imported, tests included, and for no other.
func TestEveryDependencyHasItsReason(t *testing.T) {
	all, err := everywhere()
	require.NoError(t, err)
	gomod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	var required []string
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+/\S+|software\S+) v\S+`).FindAllStringSubmatch(string(gomod), -1) {
		required = append(required, m[1])
	}
	used := map[string]bool{}
	for _, p := range all {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if !external(imported) {
				continue
			}
			module := ""
			for _, m := range required {
				if (imported == m || strings.HasPrefix(imported, m+"/")) && len(m) > len(module) {
					module = m
				}
			}
			if module == "" {
				t.Errorf("%s imports %s, which go.mod does not require", p.ImportPath, imported)
				continue
			}
			used[module] = true
		}
	}
	page, err := os.ReadFile("../docs/dependencies.md")
	require.NoError(t, err)
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]+\\|([^|]+)\\|$").FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = true
		require.NotEmpty(t, strings.TrimSpace(m[2]), "%s has no reason", m[1])
	}
	for m := range used {
		if !told[m] {
			t.Errorf("docs/dependencies.md does not say why %s is needed", m)
		}
	}
	for m := range told {
		if !used[m] {
			t.Errorf("docs/dependencies.md speaks of %s, which nothing imports", m)
		}
	}
}
