package host

import (
	"context"
	"errors"

	"github.com/perosign/pero/tokens"
)

// failures gives the errors that keep their identity across the pipe a code, its index; 0 is any other. The first that fits counts, and beside it
// tokens.ErrOutcomeUnknown.
var failures = [...]error{
	nil,
	tokens.ErrPINLocked,
	tokens.ErrPINIncorrect,
	tokens.ErrNoToken,
	tokens.ErrNoKey,
	tokens.ErrRemoved,
	tokens.ErrBusy,
	tokens.ErrFull,
	tokens.ErrReadOnly,
	tokens.ErrPINNotSet,
	tokens.ErrCancelled,
	tokens.ErrBlocked,
	tokens.ErrTimedOut,
	tokens.ErrNoWindow,
	tokens.ErrUnsupported,
	tokens.ErrExists,
	tokens.ErrInUse,
	tokens.ErrModuleCrashed,
	tokens.ErrForeignContainer,
	tokens.ErrByteOrder,
	tokens.ErrSignature,
	tokens.ErrStorage,
	context.Canceled,
	context.DeadlineExceeded,
	tokens.ErrKeyboardHeld,
	tokens.ErrModuleFailed,
	tokens.ErrPUKLocked,
	tokens.ErrPUKIncorrect,
	tokens.ErrPINExpired,
	tokens.ErrPINPolicy,
	tokens.ErrPINNotLocked,
	tokens.ErrNoCertificate,
}

// failure is an error that came over the pipe.
type failure struct {
	text string
	is   []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.is }

const (
	longestFailure = 1 << 10 // octets of an error's text; a module's message is not trusted to be short
	mostRefused    = 1 << 10 // secrets of one act
)

func encodeFailure(err error) []byte {
	code := 0
	for i, known := range failures {
		if i > 0 && errors.Is(err, known) {
			code = i
			break
		}
	}
	text := err.Error()
	var refused *tokens.Refused
	times := 0
	if errors.As(err, &refused) {
		times = refused.Times
	}
	var e encoder
	e.number(int64(code))
	e.truth(errors.Is(err, tokens.ErrOutcomeUnknown))
	e.number(int64(times))
	e.text(text[:min(len(text), longestFailure)])
	return e.b
}

func decodeFailure(body []byte) (error, error) {
	d := decoder{b: body}
	code, unknown, times, text := d.number(), d.truth(), d.number(), d.text()
	if times < 0 || times > mostRefused {
		d.fail("count")
	}
	if code < 0 || code >= int64(len(failures)) {
		d.fail("code")
	}
	if err := d.done(); err != nil {
		return nil, err
	}
	f := &failure{text: text}
	if code > 0 {
		f.is = append(f.is, failures[code])
	}
	if unknown {
		f.is = append(f.is, tokens.ErrOutcomeUnknown)
	}
	if times > 0 {
		return &tokens.Refused{Times: int(times), Err: f}, nil
	}
	return f, nil
}
