package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// BackupCarrier implements api.Agent.
func (a *Agent) BackupCarrier(ctx context.Context, c api.Caller, p api.BackupParams) (err error) {
	defer a.done(c, "carriers.backup", &err)
	if err := a.admit(c); err != nil {
		return err
	}
	at, err := a.carrier(ctx, p.Token)
	if err != nil {
		return err
	}
	archive, ok := at.store.(tokens.Archive)
	if !ok || at.token.Carrier != tokens.File {
		return fmt.Errorf("token %q is no file: %w", at.token.Label, tokens.ErrUnsupported)
	}
	if err := at.ready(ctx); err != nil {
		return err
	}
	if err := a.journal.Reserve(0); err != nil {
		return storage("reserve the journal", err)
	}
	err = a.line.turn(ctx, c.Origin, func() error {
		return a.guard.attempt(c.Origin, at.token.ID, tokens.ActBackup, func() error {
			api.Report(ctx, api.Progress{Step: api.StepConsent})
			_, err := archive.Backup(ctx, at.token.ID, tokens.Prompt{Act: tokens.ActBackup, Origin: c.Origin, Language: a.lang, Token: at.token})
			return err
		})
	})
	return errors.Join(err, a.decide(c, journal.Decision{Act: string(tokens.ActBackup), Token: string(at.token.ID)}, err))
}

// RestoreCarrier implements api.Agent.
func (a *Agent) RestoreCarrier(ctx context.Context, c api.Caller) (r api.RestoreResult, err error) {
	defer a.done(c, "carriers.restore", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	archive, err := a.archive(ctx)
	if err != nil {
		return r, err
	}
	if err := a.journal.Reserve(0); err != nil {
		return r, storage("reserve the journal", err)
	}
	var restored tokens.Token
	err = a.line.turn(ctx, c.Origin, func() error {
		api.Report(ctx, api.Progress{Step: api.StepConsent})
		var err error
		restored, err = archive.Restore(ctx, tokens.Prompt{Act: tokens.ActRestore, Origin: c.Origin, Language: a.lang})
		return err
	})
	if e := a.decide(c, journal.Decision{Act: string(tokens.ActRestore), Token: string(restored.ID)}, err); e != nil {
		err = e
	}
	if err != nil {
		return r, err
	}
	a.events.touch(true)
	return api.RestoreResult{Token: tokenView(restored)}, nil
}

// archive finds the store that keeps file carriers.
func (a *Agent) archive(ctx context.Context) (tokens.Archive, error) {
	for _, s := range a.stores {
		archive, ok := s.(tokens.Archive)
		if !ok {
			continue
		}
		// A host stands in for stores of both kinds; only that of files lists files.
		list, err := s.Tokens(ctx)
		if err != nil {
			continue
		}
		for _, t := range list {
			if t.Carrier == tokens.File {
				return archive, nil
			}
		}
	}
	return nil, fmt.Errorf("there are no file carriers: %w", tokens.ErrUnsupported)
}
