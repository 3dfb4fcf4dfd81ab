package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/perosign/pero/tokens"
)

// refresher is a Module that may remember what it read of a token.
type refresher interface {
	Refresh(ctx context.Context) error
}

var errNoSession = errors.New("nobody is logged in here")

// do reads the request, acts and writes the result: the shapes that store.go and login.go mirror.
func (c *server) do(ctx context.Context, number uint32, k kind, d *decoder, e *encoder) error {
	switch k {
	case kindTokens:
		list, err := c.store.Tokens(ctx)
		encodeList(e, list, encodeToken)
		return errors.Join(err, d.done())

	case kindObjects:
		id := tokens.ID(d.text())
		if err := d.done(); err != nil {
			return err
		}
		keys, certificates, err := c.store.Objects(ctx, id)
		encodeList(e, keys, encodeKey)
		encodeList(e, certificates, encodeCertificate)
		return err

	case kindWatch:
		if err := d.done(); err != nil {
			return err
		}
		for range c.store.Watch(ctx) {
			if err := c.out.write(number, kindEvent, nil); err != nil {
				return err
			}
		}
		return nil

	case kindRefresh:
		if err := d.done(); err != nil {
			return err
		}
		if m, ok := c.store.Module.(refresher); ok {
			return m.Refresh(ctx)
		}
		return nil

	case kindExpect:
		id := tokens.ID(d.text())
		if err := d.done(); err != nil {
			return err
		}
		c.store.expect(ctx, id)
		return nil

	case kindOpen:
		id, p := tokens.ID(d.text()), decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		s, err := c.store.Open(ctx, id, p)
		if err != nil {
			return err
		}
		if err := c.login(ctx, s); err != nil {
			return errors.Join(err, s.Close())
		}
		return nil

	case kindBackup:
		id, p := tokens.ID(d.text()), decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		a, err := c.archive()
		if err != nil {
			return err
		}
		path, err := a.Backup(ctx, id, p)
		e.text(path)
		return err

	case kindManage:
		id, p := tokens.ID(d.text()), decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		token, err := c.manage(ctx, id, p)
		encodeToken(e, token)
		return err

	case kindRestore:
		p := decodePrompt(d)
		if err := d.done(); err != nil {
			return err
		}
		a, err := c.archive()
		if err != nil {
			return err
		}
		token, err := a.Restore(ctx, p)
		encodeToken(e, token)
		return err
	}
	s := c.current()
	if s == nil {
		return errNoSession
	}
	return c.doSession(ctx, s, k, d, e)
}

func (c *server) doSession(ctx context.Context, s tokens.Session, k kind, d *decoder, e *encoder) error {
	switch k {
	case kindSign:
		r := decodeSign(d)
		if err := d.done(); err != nil {
			return err
		}
		select {
		case c.free <- struct{}{}:
			defer func() { <-c.free }()
		case <-ctx.Done():
			return ctx.Err()
		}
		signature, err := s.Sign(ctx, r.key, r.alg, r.digest)
		e.octets(signature)
		return err

	case kindGenerate:
		spec := tokens.KeySpec{ID: tokens.KeyID(d.text()), Algorithm: tokens.KeyAlgorithm(d.text()), Label: d.text()}
		if err := d.done(); err != nil {
			return err
		}
		key, err := s.Generate(ctx, spec)
		encodeKey(e, key)
		return err

	case kindInstall:
		key := tokens.KeyID(d.text())
		chain := decodeList(d, (*decoder).octets)
		if err := d.done(); err != nil {
			return err
		}
		return s.Install(ctx, key, chain)

	case kindDelete:
		key := tokens.KeyID(d.text())
		if err := d.done(); err != nil {
			return err
		}
		return s.Delete(ctx, key)

	case kindDeleteCertificate:
		der := d.octets()
		if err := d.done(); err != nil {
			return err
		}
		return s.DeleteCertificate(ctx, der)

	case kindKeys:
		keys, err := s.Keys(ctx)
		encodeList(e, keys, encodeKey)
		return errors.Join(err, d.done())

	case kindClose:
		c.mu.Lock()
		c.session = nil
		c.mu.Unlock()
		return errors.Join(s.Close(), d.done())
	}
	return fmt.Errorf("request of kind %d: %w", k, errFrame)
}

func (c *server) archive() (tokens.Archive, error) {
	files, ok := c.store.Module.(tokens.FileModule)
	if !ok {
		return nil, fmt.Errorf("a card cannot be copied: %w", tokens.ErrUnsupported)
	}
	return &attendedFiles{c.store, files}, nil
}

// manage is the act that the prompt names. Only Initialize has a token to give.
func (c *server) manage(ctx context.Context, id tokens.ID, p tokens.Prompt) (none tokens.Token, err error) {
	switch p.Act {
	case tokens.ActChangePIN:
		return none, c.store.ChangePIN(ctx, id, p)
	case tokens.ActResetPIN:
		return none, c.store.ResetPIN(ctx, id, p)
	case tokens.ActInitialize:
		return c.store.Initialize(ctx, id, p)
	case tokens.ActImport:
		return none, c.store.Import(ctx, id, p)
	}
	return none, fmt.Errorf("act %q: %w", p.Act, errFrame)
}
