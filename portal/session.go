package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
)

// Signing in is a demonstration: a person is chosen, nothing is proved. A real portal has its own sign-in here, and only here.

const sessionLife = 12 * time.Hour

type role string

// One cookie for each role: the desk can be open in one tab and a citizen in another.
const (
	citizen role = "citizen"
	desk    role = "desk"
)

func (r role) cookie() string { return "pero_portal_" + string(r) }

func (s *server) signIn(w http.ResponseWriter, r *http.Request, as role, id *int64) error {
	token := randomID()
	now := time.Now()
	hash := sha256.Sum256([]byte(token))
	_, err := s.store.db.ExecContext(r.Context(), `DELETE FROM sessions WHERE expires_at < ?`, now.Unix())
	if err == nil {
		_, err = s.store.db.ExecContext(r.Context(), `INSERT INTO sessions (token_hash, role, person, expires_at) VALUES (?, ?, ?, ?)`,
			hash[:], as, id, now.Add(sessionLife).Unix())
	}
	if err == nil {
		setCookie(w, as, token, int(sessionLife/time.Second))
	}
	return err
}

func (s *server) signOut(as role) handler {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		if c, err := r.Cookie(as.cookie()); err == nil {
			hash := sha256.Sum256([]byte(c.Value))
			if _, err := s.store.db.ExecContext(r.Context(), `DELETE FROM sessions WHERE token_hash = ?`, hash[:]); err != nil {
				return nil, err
			}
		}
		setCookie(w, as, "", -1)
		return nil, nil
	}
}

func setCookie(w http.ResponseWriter, as role, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: as.cookie(), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// session gives the person of a request's session; 0 for the desk.
func (s *server) session(r *http.Request, as role) (int64, bool, error) {
	c, err := r.Cookie(as.cookie())
	if err != nil {
		return 0, false, nil
	}
	hash := sha256.Sum256([]byte(c.Value))
	var id sql.NullInt64
	err = s.store.db.QueryRowContext(r.Context(), `SELECT person FROM sessions WHERE token_hash = ? AND role = ? AND expires_at > ?`,
		hash[:], as, time.Now().Unix()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return id.Int64, err == nil, err
}

// asCitizen and asDesk let only a signed-in person of the role through.
func (s *server) asCitizen(h func(w http.ResponseWriter, r *http.Request, p person) (any, error)) http.HandlerFunc {
	return s.api(func(w http.ResponseWriter, r *http.Request) (any, error) {
		id, ok, err := s.session(r, citizen)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, refuse(http.StatusUnauthorized, signInFirst)
		}
		p, err := s.store.person(r.Context(), id)
		if err != nil {
			return nil, err
		}
		return h(w, r, p)
	})
}

func (s *server) asDesk(h handler) http.HandlerFunc {
	return s.api(func(w http.ResponseWriter, r *http.Request) (any, error) {
		_, ok, err := s.session(r, desk)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, refuse(http.StatusUnauthorized, signInFirst)
		}
		return h(w, r)
	})
}

type sessionAnswer struct {
	Person          *person  `json:"person"`
	Desk            bool     `json:"desk"`
	People          []person `json:"people"` // to choose from: a demonstration
	AgentPort       int      `json:"agentPort"`
	AuthoritiesDate string   `json:"authoritiesDate"`
	Mail            bool     `json:"mail"` // messages also go out by SMTP
}

func (s *server) getSession(_ http.ResponseWriter, r *http.Request) (any, error) {
	people, err := s.store.people(r.Context())
	if err != nil {
		return nil, err
	}
	a := sessionAnswer{People: people, AgentPort: s.config.AgentPort, AuthoritiesDate: s.authorities.Date, Mail: s.config.SMTP != ""}
	id, ok, err := s.session(r, citizen)
	if err != nil {
		return nil, err
	}
	if ok {
		p, err := s.store.person(r.Context(), id)
		if err != nil {
			return nil, err
		}
		a.Person = &p
	}
	_, a.Desk, err = s.session(r, desk)
	return a, err
}

func (s *server) postSession(w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Person   int64  `json:"person"`
		Language string `json:"language"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	p, err := s.store.person(r.Context(), in.Person)
	if err != nil {
		return nil, err
	}
	if err := s.setLanguage(r.Context(), p.ID, in.Language); err != nil {
		return nil, err
	}
	return p, s.signIn(w, r, citizen, &p.ID)
}

// putLanguage remembers the language for the messages that the portal sends.
func (s *server) putLanguage(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in struct {
		Language string `json:"language"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	return nil, s.setLanguage(r.Context(), p.ID, in.Language)
}

func (s *server) setLanguage(ctx context.Context, id int64, language string) error {
	if language != "ru" && language != "en" {
		return refuse(http.StatusBadRequest, badRequest)
	}
	return s.store.setLanguage(ctx, id, language)
}

func (s *server) postDeskSession(w http.ResponseWriter, r *http.Request) (any, error) {
	return nil, s.signIn(w, r, desk, nil)
}

// randomID is 128 random bits, hex.
func randomID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
