//go:build linux

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// hurt is a module with a fault, in real children.
type hurt struct {
	*Store
	t       *testing.T
	library string
	log     *log
}

func newHurt(t *testing.T, l limits, settings ...string) *hurt {
	library := testmodule.Build(t)
	testmodule.Control(t, library, settings...)
	answers := pinentrytest.Build(t)
	pinentrytest.SetAnswers(t, answers, "pin 1234")
	s, out := newStoreOf(t, Module{Name: "Card", Kind: "pkcs11", Path: library}, l, filepath.Join(answers, "pinentry"))
	s.options.Command = []string{os.Args[0], RealChild}
	return &hurt{s, t, library, out}
}

// list is the first half of a life: what can be seen without a PIN.
func (h *hurt) list(ctx context.Context) (token tokens.Token, certificates []tokens.Certificate, step string, err error) {
	all, err := h.Tokens(ctx)
	if err != nil {
		return token, nil, "tokens", err
	}
	require.Len(h.t, all, 1)
	if _, certificates, err = h.Objects(ctx, all[0].ID); err != nil {
		return all[0], nil, "objects", err
	}
	return all[0], certificates, "", nil
}

// act is the second: one login, and what is done with it. It tells the step that failed, and how.
func (h *hurt) act(ctx context.Context, id tokens.ID, certificate []byte) (step string, err error) {
	return h.actWith(ctx, id, certificate, func() {})
}

// actWith is act with something that happens just after the login.
func (h *hurt) actWith(ctx context.Context, id tokens.ID, certificate []byte, loggedIn func()) (step string, err error) {
	session, err := h.Open(ctx, id, tokens.Prompt{Act: tokens.ActSign, Language: "en"})
	if err != nil {
		return "open", err
	}
	loggedIn()
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"sign", func() error {
			_, err := session.Sign(ctx, "01", SHA256ECDSA, make([]byte, 32))
			return err
		}},
		{"generate", func() error {
			_, err := session.Generate(ctx, tokens.KeySpec{ID: "0a0b", Algorithm: tokens.ECP256, Label: "new"})
			return err
		}},
		{"install", func() error {
			other := bytes.Clone(certificate)
			other[len(other)-1] ^= 1 // one that is not there yet
			return session.Install(ctx, "0a0b", [][]byte{other})
		}},
	} {
		if err := s.do(); err != nil {
			require.NoError(h.t, session.Close())
			_, after := session.Sign(ctx, "01", SHA256ECDSA, make([]byte, 32))
			require.Error(h.t, after, "the login has ended")
			require.NotErrorIs(h.t, after, tokens.ErrOutcomeUnknown, "what was not begun is known not to be done")
			return s.name, err
		}
	}
	return "", session.Close()
}

// unhurried are limits that no honest step reaches, however busy the machine is: what hangs is ended by timePasses.
var unhurried = limits{
	list: time.Hour, load: time.Hour, login: time.Hour, sign: time.Hour, generate: time.Hour, close: time.Hour,
	silence: time.Hour, person: time.Hour, tick: 20 * time.Millisecond, look: time.Hour, grace: time.Second,
}

// timePasses lets limits run out as long as there are more calls of a function that do not return than crashes that were noted; until it is stopped.
func (h *hurt) timePasses(function string) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if testmodule.Calls(h.t, h.library, "hangs "+function) > h.crashes() {
				h.overdue()
			}
		}
	})
	return func() { cancel(); watch.Wait() }
}

// overdue lets the limits of all calls run out that have one.
func (h *hurt) overdue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.children {
		c.mu.Lock()
		for _, w := range c.calls {
			if !w.deadline.IsZero() {
				w.deadline = time.Now().Add(-time.Second)
			}
		}
		c.mu.Unlock()
	}
}

// crashes counts those that were noted.
func (h *hurt) crashes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.breaker.crashes)
}

// When a fault comes.
const (
	atOnce = iota
	inAct  // when the token has been listed
	loggedIn
)

// What a fault leaves known of what was asked for.
const (
	known = iota
	unknown
	kept // all was done before
)

// deadly are the faults by which a library ends its process or has it ended.
var deadly = []string{"crash", "segv", "exit", "hang", "spin", "crashafter", "hangafter"}

// A library that dies, ends the process or does not come back takes its child with it and nothing else. It is called a crash, no PIN is
// called wrong, and where the token may have been at work the outcome is called unknown. Nothing is called twice, and nothing is lost: what
// was there and what was done is listed when the library works again.
func TestLibrariesThatDie(t *testing.T) {
	for _, c := range []struct {
		function string
		when     int
		step     string // that fails
		outcome  int
		once     bool // that it was called once and no more is of consequence
	}{
		{"C_Initialize", atOnce, "tokens", known, false},
		{"C_Initialize", inAct, "open", known, false},
		{"C_GetSlotList", atOnce, "tokens", known, false},
		{"C_GetTokenInfo", atOnce, "tokens", known, false},
		{"C_GetTokenInfo", inAct, "open", known, false},
		{"C_OpenSession", atOnce, "objects", known, false},
		{"C_OpenSession", loggedIn, "sign", unknown, false},
		{"C_FindObjects", atOnce, "objects", known, false},
		{"C_FindObjects", loggedIn, "sign", unknown, false},
		{"C_Login", inAct, "open", unknown, true},
		{"C_Sign", inAct, "sign", unknown, true},
		{"C_GenerateKeyPair", inAct, "generate", unknown, true},
		{"C_CreateObject", inAct, "install", unknown, true},
		{"C_Finalize", inAct, "open", known, false}, // before crypto11 takes the library over
		{"C_Finalize", loggedIn, "", kept, false},
	} {
		for _, fault := range deadly {
			name := fault + " " + c.function + []string{"", " in an act", " after the login"}[c.when]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHurt(t, unhurried)
				stop := func() {}
				begin := func() {
					testmodule.Control(t, h.library, fault+" "+c.function)
					if slices.Contains([]string{"hang", "spin", "hangafter"}, fault) {
						stop = h.timePasses(c.function)
					}
				}
				var seeded []tokens.Certificate
				var step string
				var err error
				if c.when == atOnce {
					begin()
					_, _, step, err = h.list(t.Context())
				} else {
					var token tokens.Token
					token, seeded, step, err = h.list(t.Context())
					require.NoError(t, err, step)
					after := func() {}
					if c.when == inAct {
						begin()
					} else {
						after = begin
					}
					step, err = h.actWith(t.Context(), token.ID, seeded[0].DER, after)
				}
				require.Equal(t, c.step, step, "%v", err)
				require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
				if c.outcome == kept {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tokens.ErrModuleCrashed)
					require.Equal(t, c.outcome == unknown, errors.Is(err, tokens.ErrOutcomeUnknown), "%v", err)
				}
				if c.once {
					require.Equal(t, 1, testmodule.Calls(t, h.library, c.function))
				}
				require.Positive(t, h.crashes(), "it is noted as a crash")

				stop()
				testmodule.Control(t, h.library)
				h.mu.Lock()
				h.breaker.until = time.Time{} // the pause passes
				h.mu.Unlock()
				_, certificates, step, err := h.list(t.Context())
				require.NoError(t, err, step)
				require.NotEmpty(t, certificates)
				require.Subset(t, certificates, seeded)
				if c.outcome == kept {
					require.Len(t, certificates, len(seeded)+1, "the one that was installed")
				}
			})
		}
	}
}

// What a library says that cannot be is its failure: the child bears it or dies of it, within its memory, and the agent does not notice.
func TestLibrariesThatLie(t *testing.T) {
	const (
		crashed = iota + 1
		failed
		dead // failed in whatever way, or crashed where it reads what is not there
		removed
	)
	for setting, want := range map[string]struct {
		step string
		how  int
	}{
		"count C_GetSlotList 0x80000000":              {"tokens", crashed},
		"count C_GetSlotList 0xffffffffffffffff":      {"tokens", crashed},
		"count C_GetSlotList 300":                     {"tokens", failed},
		"count C_GetSlotList 0 1":                     {"tokens", failed}, // more when it is read
		"count C_GetSlotList 1 100000":                {"tokens", dead},
		"count C_GetSlotList 3 1":                     {}, // fewer when it is read
		"count C_GetMechanismList 0x80000000":         {"tokens", crashed},
		"count C_GetMechanismList 0xffffffffffffffff": {"tokens", crashed},
		"count C_GetMechanismList 2":                  {}, // what can be made is not known then
		"count C_FindObjects 0x80000000":              {"objects", crashed},
		"count C_FindObjects 0xffffffffffffffff":      {"objects", crashed},
		"count C_FindObjects 100":                     {"objects", failed},  // of 64 asked for
		"length 0x102 0x10000000000":                  {"generate", failed}, // CKA_ID of 2^40 octets: what is there has none, and what is made does not come back
		"length 0x11 0x10000000000":                   {"install", failed},  // CKA_VALUE: likewise a certificate
		"length 0x11 0x80000000":                      {"objects", crashed},
		"length 0x11 0x7fffffff":                      {"objects", crashed},
		"length 0x11 100000":                          {"install", failed}, // larger than a certificate is
		"length 0x11 10":                              {"install", failed}, // too little room for what comes then
		"length 0x11 400 2000":                        {"install", failed}, // more when it is read
		"length 0x11 400 0x7fffffff":                  {"objects", crashed},
		"length 0x11 100 0x10000000000":               {"install", failed},
		"length 0x102 1 2000":                         {"generate", failed},
		"length 0x100 8 7":                            {"sign", dead},       // fewer: no key is of any kind
		"maxpin 2":                                    {},                   // and the shortest has 4
		"handle C_OpenSession 0":                      {"objects", removed}, // the library calls it invalid, as of a card that went
		"handle C_OpenSession 0xffffffffffffffff":     {"objects", removed},
		"handle C_GenerateKeyPair 0":                  {"generate", dead},
		"handle C_GenerateKeyPair 0xffffffffffffffff": {"generate", dead},
		"handle C_GenerateKeyPair 1":                  {}, // another key's: it is not asked for by its handle
		"handle C_CreateObject 0":                     {"install", failed},
		"handle C_CreateObject 0xffffffffffffffff":    {"install", failed},
		"handle C_CreateObject 1":                     {"install", failed},
		"handle C_CreateObject 2":                     {"install", failed},
		"handle C_CreateObject 3":                     {"install", failed},
		"large 50000000":                              {},
		"count C_Sign 0x10000000000":                  {"sign", failed},
		"count C_Sign 0xffffffffffffffff":             {"sign", failed},
		"count C_Sign 10":                             {"sign", failed},
		"count C_Sign 64 0":                           {"sign", failed},
		"count C_Sign 64 2000":                        {"sign", failed},
		"count C_Sign 64 0x80000000":                  {"sign", crashed},
		"fail C_GetSlotList 0x5":                      {"tokens", failed},
		"fail C_FindObjectsInit 0x6":                  {"objects", failed},
		"fail C_Login 0x5":                            {"open", failed},
		"fail C_Login 0x80000001":                     {"open", failed}, // a vendor's own
		"fail C_Sign 0x30":                            {"sign", failed},
		"fail C_GenerateKeyPair 0x6":                  {"generate", failed},
		"fail C_CreateObject 0x5":                     {"install", failed},
		"fail C_Finalize 0x5":                         {},
	} {
		t.Run(setting, func(t *testing.T) {
			h := newHurt(t, limits{})
			_, seeded, _, err := h.list(t.Context())
			require.NoError(t, err)
			there := objects(t, h.library)
			before := allocated()
			testmodule.Control(t, h.library, setting)
			token, _, step, err := h.list(t.Context())
			lister := h.lister
			if err == nil {
				step, err = h.act(t.Context(), token.ID, seeded[0].DER)
			}
			require.Equal(t, want.step, step, "%v", err)
			switch want.how {
			case 0:
				require.NoError(t, err)
			case crashed:
				require.ErrorIs(t, err, tokens.ErrModuleCrashed)
			case failed:
				require.ErrorIs(t, err, tokens.ErrModuleFailed)
				require.NotErrorIs(t, err, tokens.ErrModuleCrashed)
			case dead:
				require.Error(t, err)
			case removed:
				require.ErrorIs(t, err, tokens.ErrRemoved)
				require.NotErrorIs(t, err, tokens.ErrOutcomeUnknown)
			}
			require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
			require.LessOrEqual(t, testmodule.Calls(t, h.library, "C_Login"), 1)
			require.Less(t, allocated()-before, uint64(64<<20), "octets that the agent's process allocated meanwhile")
			require.NoError(t, h.Close())
			require.Subset(t, objects(t, h.library), there, "nothing that was on the token is gone")
			usage := lister.command.ProcessState.SysUsage().(*syscall.Rusage)
			require.Less(t, usage.Maxrss<<10, int64(mostMemory), "octets that the child held at its largest")
		})
	}
}

// A token with more than is read of it shows what is read, keys first, and the log says so. Its keys sign.
func TestTenThousandCertificates(t *testing.T) {
	h := newHurt(t, limits{}, "many 10000")
	token, certificates, _, err := h.list(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(certificates), 2000)
	keys, _, err := h.Objects(t.Context(), token.ID)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	step, err := h.act(t.Context(), token.ID, certificates[0].DER)
	require.NoError(t, err, step)
	require.NoError(t, h.Close())
	require.Contains(t, h.log.String(), "holds more than is read")
}

// A card that takes longer for all its objects than a call may take is slow and no more, as long as it goes forward.
func TestASlowCardHasNotCrashed(t *testing.T) {
	const each = 150 * time.Millisecond
	h := newHurt(t, limits{}, "many 20")
	all, err := h.Tokens(t.Context())
	require.NoError(t, err)
	testmodule.Control(t, h.library, "many 20", fmt.Sprint("slow C_GetAttributeValue ", each.Milliseconds()))
	before := testmodule.Calls(t, h.library, "C_GetAttributeValue")
	_, certificates, err := h.Objects(t.Context(), all[0].ID)
	require.NoError(t, err)
	require.Len(t, certificates, 21)
	calls := testmodule.Calls(t, h.library, "C_GetAttributeValue") - before
	require.Greater(t, time.Duration(calls)*each, h.options.limits.list, "it took longer than a call may")
}

// What a library prints, and be it megabytes in one line or octets that are no text, never reaches the pipe, and is cut in the log.
func TestLibrariesThatPrint(t *testing.T) {
	h := newHurt(t, limits{})
	token, certificates, _, err := h.list(t.Context())
	require.NoError(t, err)
	var settings []string
	for _, f := range []string{"C_Initialize", "C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_Login", "C_FindObjects", "C_Sign", "C_GenerateKeyPair",
		"C_CreateObject", "C_Finalize"} {
		settings = append(settings, "print "+f+" 3000000")
	}
	testmodule.Control(t, h.library, settings...)
	_, _, step, err := h.list(t.Context())
	require.NoError(t, err, step)
	step, err = h.act(t.Context(), token.ID, certificates[0].DER)
	require.NoError(t, err, step)
	require.NoError(t, h.Close())
	require.Contains(t, h.log.String(), "dropped")
	require.Less(t, h.log.b.Len(), 1<<20)
	require.True(t, utf8.ValidString(h.log.String()))
}

func TestNamesThatAreNoText(t *testing.T) {
	h := newHurt(t, limits{}, "label \xff\xfe\x80label", "serial \xc3\x28", "model \xed\xa0\x80", "manufacturer \xf8\x88", "reader \xa0\xa1", "library \xff\xff")
	token, certificates, _, err := h.list(t.Context())
	require.NoError(t, err)
	for _, s := range []string{token.Label, token.SerialNumber, token.Model, token.Manufacturer, token.Reader} {
		require.True(t, utf8.ValidString(s), "%q", s)
		require.Contains(t, s, "\uFFFD")
	}
	step, err := h.act(t.Context(), token.ID, certificates[0].DER)
	require.NoError(t, err, step)
}

// Whoever crashes again and again rests for ever longer, and is not started at all for some minutes in the end. Another module is not
// concerned.
func TestCircuitOfAModuleThatKeepsCrashing(t *testing.T) {
	l := limits{}.orDefault()
	l.rest = 0 // nobody waits for the end of a pause
	h := newHurt(t, l, "segv C_Initialize")
	sound := newHurt(t, limits{})
	var pauses []time.Duration
	for range manyCrashes {
		_, err := h.Tokens(t.Context())
		require.ErrorIs(t, err, tokens.ErrModuleCrashed)
		_, err = h.Tokens(t.Context())
		require.ErrorContains(t, err, "started again in")
		h.mu.Lock()
		pauses = append(pauses, time.Until(h.breaker.until).Round(500*time.Millisecond))
		if len(pauses) < manyCrashes {
			h.breaker.until = time.Time{} // that time passes
		}
		h.mu.Unlock()
	}
	require.True(t, slices.IsSorted(pauses), "%v", pauses)
	require.Greater(t, pauses[manyCrashes-1], longestPause, "%v", pauses)
	require.Equal(t, manyCrashes, testmodule.Calls(t, h.library, "C_Initialize"), "no process is started while the pause lasts")
	_, _, step, err := sound.list(t.Context())
	require.NoError(t, err, step)
	testmodule.Control(t, h.library)
	h.mu.Lock()
	h.breaker.until = time.Time{}
	h.mu.Unlock()
	_, _, step, err = h.list(t.Context())
	require.NoError(t, err, step)
}

// objects names what lies on the token of a library.
func objects(t *testing.T, library string) (names []string) {
	entries, err := os.ReadDir(library + ".control.objects")
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// allocated is how much this process allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
