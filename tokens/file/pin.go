package file

import (
	"context"
	"fmt"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/keystore"
)

// ChangePIN seals a key store anew under another PIN, by new salts. Its .bak is that version too: what opened by the old PIN is replaced, first
// there, then in the key store, so that a crash in between leaves a key store that opens by the old one and nothing that is not whole. The
// .orig of another program, and copies elsewhere, are the person's and go on opening by theirs.
func (m *Module) ChangePIN(ctx context.Context, id tokens.ID, old, pin *tokens.PIN) error {
	name, fresh, err := m.find(id)
	switch {
	case err != nil:
		return err
	case fresh:
		return fmt.Errorf("change the PIN of %s: %w", name, tokens.ErrPINNotSet)
	case len(pin.Bytes()) < MinPIN:
		return fmt.Errorf("change the PIN of %s: shorter than %d: %w", name, MinPIN, tokens.ErrPINPolicy)
	}
	if err := m.folder.changePIN(ctx, name, old, pin); err != nil {
		return fmt.Errorf("change the PIN of %s: %w", name, err)
	}
	return nil
}

func (d folder) changePIN(ctx context.Context, name string, old, pin *tokens.PIN) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := d.open(name, old)
	if err != nil {
		return err
	}
	defer s.Close()
	lock, err := keystore.NewLock(pin)
	if err != nil {
		return err
	}
	defer lock.Wipe()
	data, err := lock.Seal(s.store)
	if err != nil {
		return err
	}
	keep := s.keepAs(s.data)
	if keep == name+bak {
		keep = ""
	}
	if err := d.replace(name+bak, data, ""); err != nil {
		return err
	}
	return d.replace(name, data, keep)
}
