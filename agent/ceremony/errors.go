package ceremony

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// What the line to the window says no with.
var (
	errBusy        = errors.New("other windows are waiting")
	errRateLimited = errors.New("refused or mistyped too often")
)

// reasons is the one table between the errors inside and the reasons outside. The first line that fits counts.
var reasons = []struct {
	err    error
	reason api.Reason
}{
	{errBusy, api.Busy},
	{errRateLimited, api.RateLimited},
	{tokens.ErrNoToken, api.TokenNotFound},
	{tokens.ErrNoKey, api.KeyNotFound},
	{tokens.ErrRemoved, api.TokenRemoved},
	{tokens.ErrBusy, api.TokenBusy},
	{tokens.ErrFull, api.TokenFull},
	{tokens.ErrReadOnly, api.TokenReadOnly},
	{tokens.ErrPINIncorrect, api.PINIncorrect},
	{tokens.ErrPINLocked, api.PINLocked},
	{tokens.ErrPINNotSet, api.PINNotSet},
	{tokens.ErrPINExpired, api.PINExpired},
	{tokens.ErrPINPolicy, api.PINPolicy},
	{tokens.ErrPINNotLocked, api.Conflict},
	{tokens.ErrPUKIncorrect, api.PUKIncorrect},
	{tokens.ErrPUKLocked, api.PUKLocked},
	{tokens.ErrNoCertificate, api.CertificateNotFound},
	{tokens.ErrCancelled, api.UserCancelled},
	{tokens.ErrBlocked, api.AccessBlocked},
	{tokens.ErrTimedOut, api.TimedOut},
	{tokens.ErrNoWindow, api.NoWindow},
	{tokens.ErrKeyboardHeld, api.Busy},
	{tokens.ErrUnsupported, api.AlgorithmUnsupported},
	{tokens.ErrExists, api.Conflict},
	{tokens.ErrInUse, api.Conflict},
	{tokens.ErrModuleCrashed, api.ModuleCrashed},
	{tokens.ErrModuleFailed, api.TokenFailed},
	{tokens.ErrStorage, api.StorageFailed},
	{tokens.ErrForeignContainer, api.ContainerForeign},
	{tokens.ErrByteOrder, api.TokenFaulty},
	{tokens.ErrSignature, api.SignatureInvalid},
	{signature.ErrDocumentChanged, api.DocumentChanged},
	{signature.ErrAlgorithm, api.AlgorithmUnsupported},
	{signature.ErrDigest, api.DigestMismatch},
	{signature.ErrCertificate, api.CertificateMismatch},
	{signature.ErrInvalid, api.SignatureInvalid},
	{signature.ErrExtension, api.BadRequest},
	{signature.ErrMalformed, api.BadRequest},
	{signature.ErrUnknownKind, api.BadRequest},
	{signature.ErrDocumentNeeded, api.BadRequest},
	{names.ErrValue, api.BadRequest},
	{names.ErrMalformed, api.BadRequest},
	{journal.ErrNoSpace, api.StorageFailed},
	{journal.ErrConflict, api.Conflict},
	{journal.ErrNotFound, api.EnrollmentNotFound},
	{syscall.ENOSPC, api.StorageFailed},
	{syscall.EDQUOT, api.StorageFailed},
	{syscall.EIO, api.StorageFailed},
	{context.DeadlineExceeded, api.TimedOut},
	{context.Canceled, api.UserCancelled},
	{tokens.ErrOutcomeUnknown, api.ModuleCrashed}, // it stands beside another
}

// reasonOf says what a page is told of an error.
func reasonOf(err error) api.Reason {
	if e := (*api.Error)(nil); errors.As(err, &e) {
		return e.Reason
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return api.Internal
}

// refuse is a refusal without an error below it.
func refuse(reason api.Reason, format string, args ...any) error {
	return &api.Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// wrong refuses one member of the parameters.
func wrong(member, format string, args ...any) error {
	return &api.Error{Reason: api.BadRequest, Member: member, Err: fmt.Errorf(format, args...)}
}

// storage marks a failure to keep something on the person's disk.
func storage(doing string, err error) error {
	return &api.Error{Reason: api.StorageFailed, Err: fmt.Errorf("%s: %w", doing, err)}
}

// outward gives an error the words of the person's language. The cause stays inside, for the log.
func (a *Agent) outward(err error) error {
	if err == nil {
		return nil
	}
	return a.worded(err)
}

func (a *Agent) worded(err error) *api.Error {
	out := &api.Error{Reason: reasonOf(err), Err: err}
	if e := (*api.Error)(nil); errors.As(err, &e) {
		out.Member = e.Member
		if e == err {
			out.Err = e.Err
		}
	}
	out.Message = a.words.Say("errors." + string(out.Reason))
	switch {
	case errors.Is(err, tokens.ErrKeyboardHeld):
		out.Message = a.words.Say("errors.keyboard_held")
	case errors.Is(err, tokens.ErrOutcomeUnknown):
		said := map[api.Reason]string{api.ModuleCrashed: "errors.outcome_unknown", api.TokenRemoved: "errors.removed_unknown"}[out.Reason]
		out.Message, out.Outcome = a.words.Say(cmp.Or(said, "errors.stopped_unknown")), api.OutcomeUnknown
	case errors.Is(err, tokens.ErrPINNotLocked):
		out.Message = a.words.Say("errors.pin_not_locked")
	}
	if v := (*names.ValueError)(nil); out.Member == "" && errors.As(err, &v) {
		out.Member = "subject." + v.Member
		if v.Problem != names.Unknown { // what the person typed, and can mend
			out.Message = a.words.Say("errors.value", locale.Values{
				"Member": a.words.Say("inspect.member." + v.Member), "Problem": a.words.Say("inspect.value."+string(v.Problem), locale.Values{"Want": v.Want}),
			})
		}
	}
	return out
}

// done ends a call: the error becomes the page's, and a cause nobody expected is logged.
func (a *Agent) done(c api.Caller, method string, err *error) {
	if *err == nil {
		return
	}
	level := slog.LevelInfo
	if r := reasonOf(*err); r == api.Internal || r == api.StorageFailed || r == api.ModuleCrashed || r == api.TokenFailed {
		level = slog.LevelWarn
	}
	a.log.Log(context.Background(), level, "request failed", "method", method, "origin", c.Origin, "error", *err)
	*err = a.outward(*err)
}
