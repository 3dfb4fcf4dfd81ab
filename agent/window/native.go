//go:build windows || darwin

package window

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"

	"github.com/ncruces/zenity"

	"github.com/perosign/pero/tokens"
)

// native asks by the system's own dialogs. Its password dialog has no room for text, so what is asked comes in a window before it.
type native struct{}

func (native) name() string { return "" }

func (native) room() int { return 0 }

func (n native) pin(ctx context.Context, p page) (*tokens.PIN, bool, error) {
	asked := p
	if p.trouble != "" {
		asked.text = p.trouble + "\n\n" + p.text
	}
	if err := n.confirm(ctx, asked); err != nil {
		return nil, false, err
	}
	_, typed, err := zenity.Password(zenity.Context(ctx), zenity.Title(p.title+": "+p.prompt), zenity.OKLabel(p.ok), zenity.CancelLabel(p.cancel))
	if err != nil {
		return nil, false, meaning(ctx, err)
	}
	return tokens.NewPIN([]byte(typed)), false, nil
}

func (native) confirm(ctx context.Context, p page) error {
	options := []zenity.Option{zenity.Context(ctx), zenity.Title(p.title), zenity.OKLabel(p.ok), zenity.CancelLabel(p.cancel), zenity.DefaultCancel()}
	if p.block != "" {
		options = append(options, zenity.ExtraButton(p.block))
	}
	return meaning(ctx, zenity.Question(p.text, options...))
}

func (native) save(ctx context.Context, w words, _ tokens.Prompt, proposed string) (string, error) {
	path, err := zenity.SelectFileSave(zenity.Context(ctx), zenity.Title(w.Say("window.save")), zenity.Filename(proposed))
	return path, meaning(ctx, err)
}

func (native) open(ctx context.Context, w words, p tokens.Prompt) (string, error) {
	path, err := zenity.SelectFile(zenity.Context(ctx), zenity.Title(w.opening(p)), zenity.Filename(documentsFolder()+string(filepath.Separator)),
		zenity.FileFilter{Name: "PKCS#12", Patterns: []string{"*.p12", "*.pfx"}})
	return path, meaning(ctx, err)
}

func meaning(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, zenity.ErrCanceled):
		return tokens.ErrCancelled
	case errors.Is(err, zenity.ErrExtraButton):
		return errNotConfirmed
	}
	return errors.Join(errNoDialog, err)
}

func (w *Window) askers() ([]asker, error) {
	if w.config.Pinentry != "" {
		if err := trusted(w.config.Pinentry); err != nil {
			return nil, err
		}
		return []asker{pinentryAsker{speaker{program: w.config.Pinentry}}}, nil
	}
	return []asker{native{}}, nil
}

// prepareProgram has nothing to do: the dialogs are in this process.
func (w *Window) prepareProgram() {}

func (w *Window) fileAskers() ([]fileAsker, error) { return []fileAsker{native{}}, nil }

// pinentryAsker asks by one pinentry program (GnuPG's for Windows, pinentry-mac).
type pinentryAsker struct{ speaker }

func (a pinentryAsker) name() string { return a.program }

func (pinentryAsker) room() int { return room }

func (a pinentryAsker) pin(ctx context.Context, p page) (pin *tokens.PIN, repeated bool, err error) {
	c, err := startPinentry(ctx, a.speaker)
	if err != nil {
		return nil, false, err
	}
	defer c.close()
	if err := c.show(p); err != nil {
		return nil, false, err
	}
	return c.pin()
}

func (a pinentryAsker) confirm(ctx context.Context, p page) error {
	c, err := startPinentry(ctx, a.speaker)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.show(p); err != nil {
		return err
	}
	return c.confirm()
}

func (speaker) attributes() *syscall.SysProcAttr { return nil }
