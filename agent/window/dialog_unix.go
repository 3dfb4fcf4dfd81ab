//go:build unix && !darwin

package window

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/perosign/pero/tokens"
)

// dialog asks by zenity, run here and not by a library so that the PIN it prints goes straight into locked memory.
type dialog struct{ program string }

const (
	zenityCancelled = 1
	zenityTimeout   = 5
	zenityUsage     = 255 // also for words that its locale cannot write
	longestAnswer   = 4 << 10
	dialogWidth     = "--width=560"
)

func (d dialog) name() string { return d.program }

func (dialog) room() int { return 0 }

func (d dialog) pin(ctx context.Context, p page) (*tokens.PIN, bool, error) {
	text := p.text
	if p.trouble != "" {
		text += "\n\n⚠ " + p.trouble
	}
	answer, err := d.run(ctx, "--entry", "--hide-text", dialogWidth, "--title="+p.title, "--text="+zenityLabel(text+"\n\n"+p.prompt),
		"--ok-label="+p.ok, "--cancel-label="+p.cancel)
	if err != nil {
		answer.Wipe()
		return nil, false, err
	}
	return answer, false, nil
}

func (d dialog) confirm(ctx context.Context, p page) error {
	arguments := []string{"--question", "--no-markup", "--default-cancel", dialogWidth, "--title=" + p.title, "--text=" + p.text,
		"--ok-label=" + p.ok, "--cancel-label=" + p.cancel}
	if p.block != "" {
		arguments = append(arguments, "--extra-button="+p.block)
	}
	answer, err := d.run(ctx, arguments...)
	defer answer.Wipe()
	if errors.Is(err, tokens.ErrCancelled) && p.block != "" && bytes.Equal(answer.Bytes(), []byte(p.block)) {
		return errNotConfirmed
	}
	return err
}

func (d dialog) save(ctx context.Context, w words, _ tokens.Prompt, proposed string) (string, error) {
	return d.file(ctx, "--file-selection", "--save", "--title="+w.Say("window.save"), "--filename="+proposed)
}

func (d dialog) open(ctx context.Context, w words, p tokens.Prompt) (string, error) {
	return d.file(ctx, "--file-selection", "--title="+w.opening(p), "--filename="+documentsFolder()+"/", "--file-filter=PKCS#12 | *.p12 *.pfx")
}

func (d dialog) file(ctx context.Context, arguments ...string) (string, error) {
	answer, err := d.run(ctx, arguments...)
	defer answer.Wipe()
	return string(answer.Bytes()), err
}

// run gives what the dialog printed, without its last line break. The answer is never nil and to be wiped, also after an error.
//
// zenity reads its options by its locale and refuses Russian ones in C. A name in the environment does not tell whether that locale was
// ever generated, zenity's refusal does: before any window.
func (d dialog) run(ctx context.Context, arguments ...string) (*tokens.PIN, error) {
	locale := utf8Locale()
	answer, err := d.runIn(ctx, locale, arguments)
	var exit *exec.ExitError
	if locale == plainLocale || !errors.As(err, &exit) || exit.ExitCode() != zenityUsage {
		return answer, err
	}
	answer.Wipe()
	return d.runIn(ctx, plainLocale, arguments)
}

func (d dialog) runIn(ctx context.Context, locale string, arguments []string) (*tokens.PIN, error) {
	answer := tokens.AllocPIN(longestAnswer)
	command := exec.CommandContext(ctx, d.program, arguments...)
	command.Env = append(os.Environ(), "LC_ALL="+locale)
	command.SysProcAttr = dieWithUs()
	command.WaitDelay = time.Second
	out, err := command.StdoutPipe()
	if err != nil {
		answer.Truncate(0)
		return answer, err
	}
	if err := command.Start(); err != nil {
		answer.Truncate(0)
		return answer, fmt.Errorf("start %s: %w: %w", d.program, errNoDialog, err)
	}
	n, _ := io.ReadFull(out, answer.Bytes())
	answer.Truncate(n)
	answer.Truncate(len(bytes.TrimSuffix(answer.Bytes(), []byte("\n"))))
	err = command.Wait()
	if end := ctx.Err(); end != nil {
		return answer, end
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return answer, err
	}
	switch exit.ExitCode() {
	case zenityCancelled:
		return answer, tokens.ErrCancelled
	case zenityTimeout:
		return answer, tokens.ErrTimedOut
	}
	return answer, fmt.Errorf("%s: %w: %w", d.program, errNoDialog, err)
}

// zenityLabel keeps zenity from reading backslashes as C escapes and underscores as mnemonics, which it does in the label of an entry.
func zenityLabel(s string) string { return strings.NewReplacer(`\`, `\\`, "_", "__").Replace(s) }
