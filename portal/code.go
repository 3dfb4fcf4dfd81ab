package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// The confirmation code: six random digits, ten minutes, five tries, five codes an hour. Only its salted hash is kept beside the application.

const (
	codeLife     = 10 * time.Minute
	codeTriesMax = 5
	codesPerHour = 5
)

type confirmation struct {
	salt, hash []byte
	tries      int
	expires    time.Time
	sent       int       // codes since
	since      time.Time // the first of them
}

// newCode puts a fresh code in place of the old one.
func (c *confirmation) newCode(now time.Time) (string, error) {
	if now.Sub(c.since) > time.Hour {
		c.sent, c.since = 0, now
	}
	if c.sent >= codesPerHour {
		return "", refuse(http.StatusTooManyRequests, codesMany)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	code := fmt.Sprintf("%06d", n)
	c.salt = make([]byte, 32)
	rand.Read(c.salt) // never fails (crypto/rand)
	c.hash, c.tries, c.expires = c.sum(code), 0, now.Add(codeLife)
	c.sent++
	return code, nil
}

func (c *confirmation) sum(code string) []byte {
	h := hmac.New(sha256.New, c.salt)
	h.Write([]byte(code))
	return h.Sum(nil)
}

// try takes one of the five tries.
func (c *confirmation) try(code string, now time.Time) error {
	switch {
	case c.hash == nil || now.After(c.expires):
		return &problem{Status: http.StatusGone, Code: codeExpired, Field: "code"}
	case c.tries >= codeTriesMax:
		return &problem{Status: http.StatusTooManyRequests, Code: codeTries, Field: "code"}
	}
	c.tries++
	if !hmac.Equal(c.hash, c.sum(code)) {
		return &problem{Status: http.StatusUnprocessableEntity, Code: codeWrong, Field: "code",
			Values: map[string]string{"left": strconv.Itoa(codeTriesMax - c.tries)}}
	}
	c.hash, c.salt = nil, nil
	return nil
}

func (s *server) sendCode(ctx context.Context, tx *sql.Tx, a *application) error {
	code, err := a.code.newCode(time.Now())
	if err != nil {
		return err
	}
	p, err := scanPerson(tx.QueryRowContext(ctx, `SELECT `+personColumns+` FROM people WHERE id = ?`, a.person))
	if err != nil {
		return err
	}
	return s.outbox.notify(ctx, tx, p, a.Fields, "code", map[string]string{"name": a.Fields.name(), "code": code, "minutes": strconv.Itoa(int(codeLife / time.Minute))})
}

func (s *server) postCode(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{approved}, func(tx *sql.Tx, a *application) error {
		return s.sendCode(r.Context(), tx, a)
	})
}

func (s *server) confirm(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in struct {
		Code string `json:"code"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{approved}, func(_ *sql.Tx, a *application) error {
		if err := a.code.try(in.Code, time.Now()); err != nil {
			return keep{err}
		}
		a.State = confirmed
		return nil
	})
}
