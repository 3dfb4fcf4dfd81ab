package main

import (
	"database/sql"
	"net/http"
	"strings"
)

// What a citizen and the desk do with applications.

func (s *server) listApplications(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.applications(r.Context(), p.ID)
}

func (s *server) postApplication(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in struct {
		Authority string `json:"authority"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	if err := s.authorities.mayIssue(in.Authority); err != nil {
		return nil, err
	}
	a := application{ID: randomID(), person: p.ID, Kind: firstIssue, State: draft, Authority: in.Authority, RequestID: randomID(), Fields: fields{
		p.Surname, p.GivenName, p.Patronymic, p.INN, p.SNILS, p.Phone, p.Email, p.Region, p.Locality}}
	if err := s.store.addApplication(r.Context(), s.store.db, a); err != nil {
		return nil, err
	}
	return s.store.application(r.Context(), s.store.db, a.ID, p.ID)
}

func (s *server) putApplication(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in fields
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	in.tidy()
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{draft, refused}, func(_ *sql.Tx, a *application) error {
		a.Fields, a.State = in, draft
		return nil
	})
}

func (s *server) deleteApplication(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return nil, s.store.tx(r.Context(), func(tx *sql.Tx) error {
		a, err := s.store.application(r.Context(), tx, r.PathValue("id"), p.ID)
		if err != nil {
			return err
		}
		if a.State == requested || a.State == issued || a.State == installed {
			return &problem{Status: http.StatusConflict, Code: wrongState, Values: map[string]string{"state": string(a.State)}}
		}
		_, err = tx.ExecContext(r.Context(), `DELETE FROM applications WHERE id = ?`, a.ID)
		return err
	})
}

func (s *server) submit(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{draft, refused}, func(_ *sql.Tx, a *application) error {
		if err := a.Fields.check(); err != nil {
			return err
		}
		if len(a.Attachments) == 0 {
			return refuse(http.StatusUnprocessableEntity, attachmentsNone)
		}
		a.State, a.Reason = submitted, ""
		return nil
	})
}

// restart gives a confirmed application a new request id: the person chose another carrier or kind of key than the agent remembers.
func (s *server) restart(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{confirmed}, func(_ *sql.Tx, a *application) error {
		a.RequestID = randomID()
		return nil
	})
}

// installed is the page's word that the certificate is on the carrier and a test signature held: the person is told.
func (s *server) installed(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{issued, installed}, func(tx *sql.Tx, a *application) error {
		if a.State == installed {
			return nil
		}
		a.State = installed
		cert, err := s.store.certificate(r.Context(), tx, a.Serial)
		if err != nil {
			return err
		}
		return s.outbox.notify(r.Context(), tx, p, a.Fields, "installed",
			map[string]string{"name": a.Fields.name(), "serial": a.Serial, "until": cert.parsed.NotAfter.Format("02.01.2006")})
	})
}

func (s *server) deskApplications(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.store.applications(r.Context(), 0)
}

func (s *server) approve(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.store.change(r.Context(), r.PathValue("id"), 0, []state{submitted}, func(tx *sql.Tx, a *application) error {
		a.State = approved
		return s.sendCode(r.Context(), tx, a)
	})
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	in.Reason = strings.TrimSpace(in.Reason)
	if in.Reason == "" || len([]rune(in.Reason)) > 500 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: reasonMissing, Field: "reason"}
	}
	return s.store.change(r.Context(), r.PathValue("id"), 0, []state{submitted}, func(tx *sql.Tx, a *application) error {
		a.State, a.Reason = refused, in.Reason
		p, err := scanPerson(tx.QueryRowContext(r.Context(), `SELECT `+personColumns+` FROM people WHERE id = ?`, a.person))
		if err != nil {
			return err
		}
		return s.outbox.notify(r.Context(), tx, p, a.Fields, "refused", map[string]string{"name": a.Fields.name(), "reason": strings.TrimRight(in.Reason, ".")})
	})
}
