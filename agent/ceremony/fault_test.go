package ceremony

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// beside is a house with a file carrier and, in child processes, the test module's card; kept is a certificate of the one, lost of the other.
func beside(t *testing.T, settings ...string) (h *house, library string, kept, lost api.Certificate) {
	t.Helper()
	dir := t.TempDir()
	library = testmodule.Build(t)
	testmodule.Control(t, library, settings...)
	window := &scripted{pin: pin}
	h = furnish(t, dir, window, host.Attended(file.New(filepath.Join(dir, "keys")), window))
	h.stores = append(h.stores, hostedModule(t, host.Module{Name: "Test", Kind: "pkcs11", Path: library}))
	kept = h.issue("ec-p256")
	list, err := h.Certificates(t.Context(), page, api.CertificatesParams{})
	require.NoError(t, err)
	i := slices.IndexFunc(list.Certificates, func(c api.Certificate) bool { return c.Token != kept.Token })
	require.GreaterOrEqual(t, i, 0)
	return h, library, kept, list.Certificates[i]
}

// unknown holds that an error says that nobody knows what the token did, to the page and in words.
func unknown(t *testing.T, reason api.Reason, err error) {
	t.Helper()
	refused(t, reason, err)
	e := err.(*api.Error)
	require.Equal(t, api.OutcomeUnknown, e.Outcome, "%v", e)
	require.Contains(t, e.Message, "is not known; nothing was repeated")
}

// A library that dies under a login or a signature: the page and the person are told that the outcome is not known, nothing is called a
// second time, nothing leaves, and the next act of the person works.
func TestOutcomeOfAnInterruptedActIsUnknown(t *testing.T) {
	for _, function := range []string{"C_Login", "C_Sign"} {
		for _, fault := range []string{"segv", "exit", "crashafter"} {
			t.Run(fault+" "+function, func(t *testing.T) {
				t.Parallel() // most of it is the pause before the module is started again
				h, library, kept, lost := beside(t)
				testmodule.Control(t, library, fault+" "+function)
				r, err := h.Sign(t.Context(), page, three(lost))
				unknown(t, api.ModuleCrashed, err)
				require.Empty(t, r.Results)
				require.Equal(t, 1, testmodule.Calls(t, library, "C_Login"))
				if function == "C_Login" {
					require.Zero(t, testmodule.Calls(t, library, "C_Sign"))
				}
				all := h.decisions()
				require.Equal(t, string(api.ModuleCrashed), all[len(all)-1].Result)

				p := three(kept)
				r, err = h.Sign(t.Context(), page, p)
				require.NoError(t, err)
				h.judged(r.Results[0].Signature, []byte("one"))
				testmodule.Control(t, library)
				h.until(func() error {
					_, err := h.Sign(t.Context(), page, three(lost))
					return err
				})
				require.Equal(t, 2, testmodule.Calls(t, library, "C_Login"))
			})
		}
	}
}

// Three logins without an answer may have cost three tries: sites do not get a fourth.
func TestLoginsWithoutAnAnswerAreCounted(t *testing.T) {
	for fault, reason := range map[string]api.Reason{"segv C_Login": api.ModuleCrashed, "fail C_Login 0x32": api.TokenRemoved} {
		t.Run(fault, func(t *testing.T) {
			h, library, _, lost := beside(t)
			testmodule.Control(t, library, fault)
			for range 3 {
				h.until(func() error {
					before := testmodule.Calls(t, library, "C_Login")
					_, err := h.Sign(t.Context(), page, three(lost))
					if testmodule.Calls(t, library, "C_Login") > before {
						unknown(t, reason, err)
						return nil
					}
					return err
				})
			}
			testmodule.Control(t, library)
			_, err := h.Sign(t.Context(), page, three(lost))
			refused(t, api.RateLimited, err)
			require.Equal(t, 3, testmodule.Calls(t, library, "C_Login"))
		})
	}
}

// Of documents that nobody began to sign it is known that they are not signed.
func TestDocumentsBehindACrashAreKnownNotToBeSigned(t *testing.T) {
	h, library, _, lost := beside(t)
	p := api.SignParams{Certificate: lost.ID, Format: "cades"}
	for i := range 100 {
		p.Documents = append(p.Documents, inline(fmt.Sprint(i), "text"))
	}
	var once sync.Once
	ctx := api.WithProgress(t.Context(), func(p api.Progress) {
		if p.Step == api.StepSigning && p.Done > 0 {
			once.Do(func() { testmodule.Control(t, library, "crash C_Sign") })
		}
	})
	r, err := h.Sign(ctx, page, p)
	require.NoError(t, err)
	signed, interrupted, left := 0, 0, 0
	for _, s := range r.Results {
		switch {
		case s.Error == nil:
			signed++
			openssl(t, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", keep(t, s.Signature), "-CAfile", library+".control.ec.pem",
				"-purpose", "any", "-content", keep(t, []byte("text")))
			continue
		case s.Error.Outcome == api.OutcomeUnknown:
			interrupted++
		default:
			left++
		}
		require.Empty(t, s.Signature)
		require.Equal(t, api.ModuleCrashed, s.Error.Reason)
	}
	require.NotZero(t, signed)
	require.NotZero(t, interrupted)
	require.LessOrEqual(t, interrupted, signingWorkers, "those that were under way")
	require.NotZero(t, left)
}

// A key whose making was interrupted is looked for under the CKA_ID that the journal has before another is made: in the end there is one. So
// with a certificate whose writing was. A library that says that the card is gone may say so before its work or after it.
func TestMakingAndWritingAreInterrupted(t *testing.T) {
	for _, c := range []struct {
		fault  string
		reason api.Reason
		state  string // that enroll.list tells without a PIN; "": it is not asked, and the page just asks for the same again
		made   int    // calls of C_GenerateKeyPair in the end
	}{
		{"crash C_GenerateKeyPair", api.ModuleCrashed, "planned", 2}, // it died before it made one
		{"exit C_GenerateKeyPair", api.ModuleCrashed, "planned", 2},
		{"crashafter C_GenerateKeyPair", api.ModuleCrashed, "key_made", 1},
		{"crashafter C_GenerateKeyPair", api.ModuleCrashed, "", 1},
		{"fail C_GenerateKeyPair 0x32", api.TokenRemoved, "planned", 2},
		{"failafter C_GenerateKeyPair 0x32", api.TokenRemoved, "key_made", 1},
		{"failafter C_GenerateKeyPair 0x32", api.TokenRemoved, "", 1},
		{"crash C_CreateObject", api.ModuleCrashed, "received", 1},
		{"crashafter C_CreateObject", api.ModuleCrashed, "written", 1},
		{"crashafter C_CreateObject", api.ModuleCrashed, "", 1},
		{"fail C_CreateObject 0x32", api.TokenRemoved, "received", 1},
		{"failafter C_CreateObject 0x32", api.TokenRemoved, "written", 1},
		{"failafter C_CreateObject 0x32", api.TokenRemoved, "", 1},
	} {
		t.Run(c.fault+" "+c.state, func(t *testing.T) {
			t.Parallel()
			h, library, _, lost := beside(t)
			testmodule.Control(t, library, c.fault)
			var chain [][]byte
			begin := func() (api.EnrollResult, error) {
				return h.BeginEnrollment(t.Context(), page, enrollParams(lost.Token, "ec-p256", "r1"))
			}
			e, err := begin()
			if err == nil {
				chain = h.ca.issue(e.CSR)[:1]
				_, err = h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: chain})
			}
			unknown(t, c.reason, err)
			testmodule.Control(t, library)
			if c.state != "" {
				require.Eventually(t, func() bool {
					list, err := h.Enrollments(t.Context(), page)
					return err == nil && len(list.Enrollments) == 1 && list.Enrollments[0].State == c.state
				}, 30*time.Second, 50*time.Millisecond)
			}
			h.until(func() error {
				e, err = begin()
				return err
			})
			if chain == nil {
				chain = h.ca.issue(e.CSR)[:1]
			}
			var done api.CompleteResult
			h.until(func() error {
				done, err = h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: chain})
				return err
			})
			require.Equal(t, journal.Proved, h.state(e.Enrollment))
			require.Equal(t, c.made, testmodule.Calls(t, library, "C_GenerateKeyPair"))
			keys, certificates, err := h.stores[1].Objects(t.Context(), tokens.ID(lost.Token))
			require.NoError(t, err)
			require.Len(t, keys, 2, "the one that was there and one new")
			require.Len(t, certificates, 2)
			_, err = h.Sign(t.Context(), page, three(done.Certificate))
			require.NoError(t, err)
		})
	}
}

// A signature that does not hold, or that is another key's, leaves in no form; that is said of it, and not that the PIN was wrong.
func TestSignaturesThatDoNotHold(t *testing.T) {
	for _, key := range []string{"ec", "rsa", "gost256", "gost512"} {
		for _, how := range []string{"wrong", "other"} {
			t.Run(key+" "+how, func(t *testing.T) {
				h, library, certificate := card(t, "key "+key)
				testmodule.Control(t, library, "key "+key, "signature "+how)
				p := three(certificate)
				r, err := h.Sign(t.Context(), page, p)
				refused(t, api.SignatureInvalid, err)
				require.Empty(t, r.Results)
				p.Format = "raw"
				r, err = h.Sign(t.Context(), page, p)
				refused(t, api.SignatureInvalid, err)
				require.Empty(t, r.Results)
				token, err := h.Authenticate(t.Context(), page, api.AuthenticateParams{Certificate: certificate.ID, Challenge: make([]byte, 32)})
				refused(t, api.SignatureInvalid, err)
				require.Empty(t, token)
				e, err := h.BeginEnrollment(t.Context(), page, enrollParams(certificate.Token, "ec-p256", "r1"))
				refused(t, api.SignatureInvalid, err)
				require.Empty(t, e)
				for _, d := range h.decisions() {
					require.Equal(t, string(api.SignatureInvalid), d.Result)
				}
			})
		}
	}
}

// A code that says nothing of token or PIN, and an answer that cannot be, are the library's failures: not Pero's, and no wrong PIN.
func TestLibraryThatFails(t *testing.T) {
	h, library, certificate := card(t)
	for _, setting := range []string{"fail C_Login 0x5", "fail C_Sign 0x30", "fail C_SignInit 0x80000001", "count C_Sign 10", "count C_Sign 0x10000000000"} {
		testmodule.Control(t, library, setting)
		windows := h.window.count()
		_, err := h.Sign(t.Context(), page, three(certificate))
		refused(t, api.TokenFailed, err)
		require.Equal(t, windows+1, h.window.count(), "%s: nobody is asked again", setting)
	}
}

// While one module hangs or spins the others list and sign, and the listing tells what is known of them.
func TestHungModuleHoldsNobodyUp(t *testing.T) {
	for _, fault := range []string{"hang C_GetSlotList", "spin C_GetTokenInfo", "hang C_FindObjects"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			h, library, kept, lost := beside(t)
			testmodule.Control(t, library, fault)
			type result struct {
				list api.CertificatesResult
				err  error
			}
			listed := make(chan result, 1)
			go func() {
				list, err := h.Certificates(t.Context(), page, api.CertificatesParams{})
				listed <- result{list, err}
			}()
			before := testmodule.Calls(t, library, "C_Sign")
			p := three(kept)
			r, err := h.Sign(t.Context(), page, p)
			require.NoError(t, err)
			h.judged(r.Results[2].Signature, []byte("three"))
			all := <-listed
			require.NoError(t, all.err)
			require.Equal(t, []string{kept.ID, idOf(h.ca.root.Raw)}, ids(all.list))
			_, err = h.Sign(t.Context(), page, three(lost))
			refused(t, api.ModuleCrashed, err)
			require.Empty(t, err.(*api.Error).Outcome, "it is known that nothing was begun")
			require.Equal(t, before, testmodule.Calls(t, library, "C_Sign"))
		})
	}
}

// resting is a store whose module crashed: so many more questions fail.
type resting struct {
	tokens.Store
	fails int
}

func (r *resting) Tokens(ctx context.Context) ([]tokens.Token, error) {
	if r.fails--; r.fails >= 0 {
		return nil, tokens.ErrModuleCrashed
	}
	return r.Store.Tokens(ctx)
}

// A module that comes back while its token is looked for has the token: it is not called missing.
func TestModuleComesBackMeanwhile(t *testing.T) {
	h, _, _, lost := beside(t)
	store := &resting{Store: h.stores[1]}
	h.stores[1] = store
	_, err := h.Certificates(t.Context(), page, api.CertificatesParams{})
	require.NoError(t, err)
	for fails := range 4 {
		store.fails = fails
		_, err := h.find(t.Context(), lost.ID)
		if fails == 3 { // where it was, everywhere, and once more
			require.ErrorIs(t, err, tokens.ErrModuleCrashed)
		} else {
			require.NoError(t, err)
		}
		store.fails = fails
		_, err = h.carrier(t.Context(), lost.Token)
		if fails >= 2 {
			require.ErrorIs(t, err, tokens.ErrModuleCrashed)
		} else {
			require.NoError(t, err)
		}
	}
}

// gated answers only when another store's objects were asked for.
type gated struct {
	tokens.Store
	open <-chan struct{}
}

func (g gated) Tokens(ctx context.Context) ([]tokens.Token, error) {
	select {
	case <-g.open:
		return g.Store.Tokens(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type gate struct {
	tokens.Store
	open func()
}

func (g gate) Objects(ctx context.Context, id tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	g.open()
	return g.Store.Objects(ctx, id)
}

// The objects of one store are read while another has not listed its tokens yet.
func TestNoStoreWaitsForAnother(t *testing.T) {
	h := newHouse(t, t.TempDir())
	h.issue("ec-p256")
	opened := make(chan struct{})
	files := h.stores[0]
	h.stores = []tokens.Store{gated{files, opened}, gate{files, sync.OnceFunc(func() { close(opened) })}}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	list, err := h.Certificates(ctx, page, api.CertificatesParams{})
	require.NoError(t, err)
	require.Len(t, ids(list), 4, "the certificate and its issuer, twice")
}

func ids(list api.CertificatesResult) (ids []string) {
	for _, c := range list.Certificates {
		ids = append(ids, c.ID)
	}
	return ids
}
