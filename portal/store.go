package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed schema/*.sql
var schema embed.FS

// store is the portal's database. Each file has the statements of its own noun.
type store struct {
	db        *sql.DB
	committed func() // called after each transaction
}

func openStore(ctx context.Context, path string) (*store, error) {
	q := url.Values{"_pragma": {"journal_mode(WAL)", "busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	s := &store{db, func() {}}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), db.Close())
	}
	return s, nil
}

// migrate runs the files of schema/ that the database has not seen, in order; PRAGMA user_version counts them.
func (s *store) migrate(ctx context.Context) error {
	files, err := fs.Glob(schema, "schema/*.sql") // sorted by name
	if err != nil {
		return err
	}
	var done int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&done); err != nil {
		return err
	}
	if done > len(files) {
		return fmt.Errorf("was written by a newer portal (schema %d, known %d): use that one, or another --state", done, len(files))
	}
	for i, name := range files[done:] {
		text, err := schema.ReadFile(name)
		if err != nil {
			return err
		}
		err = s.tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", done+i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// tx runs f in a transaction: all of it or nothing.
func (s *store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.committed()
	return nil
}

func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
