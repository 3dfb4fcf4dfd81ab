package ceremony

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

// declared reads the strings that a file declares, and the names it gives.
func declared(t *testing.T, path string) (values, variables []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, name := range v.Names {
				variables = append(variables, name.Name)
			}
			for _, value := range v.Values {
				if l, ok := value.(*ast.BasicLit); ok && l.Kind == token.STRING {
					s, err := strconv.Unquote(l.Value)
					require.NoError(t, err)
					values = append(values, s)
				}
			}
		}
		return true
	})
	return values, variables
}

func TestEveryReasonHasWords(t *testing.T) {
	reasons, _ := declared(t, "../../api/error.go")
	require.Contains(t, reasons, string(api.Internal))
	for _, lang := range []string{"ru", "en"} {
		words := locale.For(lang)
		said := map[string]string{}
		for _, r := range reasons {
			text := words.Say("errors." + r)
			require.NotEqual(t, "errors."+r, text, "%s in %s", r, lang)
			require.Empty(t, said[text], "%s and %s say the same", r, said[text])
			said[text] = r
		}
	}
}

func TestEveryTokenErrorHasAReason(t *testing.T) {
	_, names := declared(t, "../../tokens/errors.go")
	all := []error{
		tokens.ErrNoToken, tokens.ErrNoKey, tokens.ErrRemoved, tokens.ErrBusy, tokens.ErrFull, tokens.ErrReadOnly, tokens.ErrPINIncorrect,
		tokens.ErrPINLocked, tokens.ErrPINNotSet, tokens.ErrCancelled, tokens.ErrBlocked, tokens.ErrTimedOut, tokens.ErrNoWindow,
		tokens.ErrUnsupported, tokens.ErrExists, tokens.ErrInUse, tokens.ErrModuleCrashed, tokens.ErrStorage,
		tokens.ErrForeignContainer, tokens.ErrSignature, tokens.ErrByteOrder, tokens.ErrKeyboardHeld, tokens.ErrModuleFailed,
		tokens.ErrOutcomeUnknown,
		tokens.ErrPINExpired, tokens.ErrPINPolicy, tokens.ErrPINNotLocked, tokens.ErrPUKIncorrect, tokens.ErrPUKLocked, tokens.ErrNoCertificate,
	}
	require.Len(t, all, len(names), "an error of tokens is missing here or in the table")
	for _, err := range all {
		require.NotEqual(t, api.Internal, reasonOf(fmt.Errorf("wrapped: %w", err)), "%v", err)
	}
	require.Equal(t, api.Internal, reasonOf(fmt.Errorf("unforeseen")))
	require.Equal(t, api.UserCancelled, reasonOf(fmt.Errorf("gone: %w", context.Canceled)))
}

// Who is told that an outcome is not known is told what ended the work, too: a request that was cancelled is no crash.
func TestOutcomeThatIsNotKnownHasItsCause(t *testing.T) {
	a := &Agent{words: locale.For("en")}
	for cause, want := range map[error]string{
		tokens.ErrModuleCrashed: "The token maker's program stopped working", tokens.ErrRemoved: "The token was taken out",
		context.Canceled: "The request ended", context.DeadlineExceeded: "The request ended",
	} {
		e := a.worded(fmt.Errorf("sign: %w: %w", cause, tokens.ErrOutcomeUnknown))
		require.Equal(t, api.OutcomeUnknown, e.Outcome)
		require.Equal(t, reasonOf(cause), e.Reason)
		require.Contains(t, e.Message, want+" ")
		require.Contains(t, e.Message, "is not known; nothing was repeated")
	}
}

// A person who mistyped a value is told which and why, not that the site is at fault.
func TestValuesAreRefusedInWords(t *testing.T) {
	for lang, want := range map[string]string{
		"ru": "ИНН: опечатка, не сходятся контрольные цифры. Исправьте и повторите; ничего не сделано.",
		"en": "INN (taxpayer number): mistyped, the check digits do not fit. Correct it and start again; nothing was done.",
	} {
		a := &Agent{words: locale.For(lang)}
		err := a.worded(fmt.Errorf("plan: %w", names.Check("inn", "500100732258")))
		require.Equal(t, api.BadRequest, err.Reason)
		require.Equal(t, "subject.inn", err.Member)
		require.Equal(t, want, err.Message)
		for _, p := range []names.Problem{names.Empty, names.TooLong, names.Digits, names.CheckDigit, names.Characters, names.Syntax} {
			for _, member := range names.Members() {
				text := a.worded(&names.ValueError{Member: member, Problem: p, Want: 5}).Message
				require.NotContains(t, text, "inspect.", "%s in %s", p, lang)
				require.NotContains(t, text, "<no value>")
			}
		}
	}
}
