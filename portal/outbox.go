package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// The outbox keeps every message to a person. A text message stands only here (and says so); a letter goes out by SMTP as well, when
// that is configured, a few times if the server does not take it at once.

const mailTries = 4

type message struct {
	ID        int64     `json:"id"`
	Channel   string    `json:"channel"` // sms, email
	Address   string    `json:"address"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
	State     string    `json:"state"` // shown, queued, sent, failed
	tries     int
}

// mailer sends one letter.
type mailer interface {
	send(ctx context.Context, to, subject, text string) error
}

type outbox struct {
	store *store
	texts texts
	mail  mailer // nil: letters stay in the outbox
	log   *slog.Logger
	wake  chan struct{}
	pause time.Duration // before the second try; doubled for each further one
}

func newOutbox(st *store, t texts, m mailer, log *slog.Logger) *outbox {
	return &outbox{store: st, texts: t, mail: m, log: log, wake: make(chan struct{}, 1), pause: 5 * time.Second}
}

// notify writes a text message and a letter of the catalogue's mail.NAME.subject and mail.NAME.text, in the transaction of what they tell about.
func (o *outbox) notify(ctx context.Context, db querier, p person, f fields, name string, values map[string]string) error {
	subject := o.texts.say(p.language, "mail."+name+".subject", values)
	text := o.texts.say(p.language, "mail."+name+".text", values)
	letter := "shown"
	if o.mail != nil {
		letter = "queued"
	}
	for _, m := range []message{{Channel: "sms", Address: f.Phone, State: "shown"}, {Channel: "email", Address: f.Email, State: letter}} {
		_, err := db.ExecContext(ctx, `INSERT INTO messages (person, channel, address, subject, text, created_at, state) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			p.ID, m.Channel, m.Address, subject, text, time.Now().Unix(), m.State)
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
	return nil
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

const messageColumns = `id, channel, address, subject, text, created_at, state, tries`

func scanMessage(r scanner) (m message, err error) {
	var created int64
	err = r.Scan(&m.ID, &m.Channel, &m.Address, &m.Subject, &m.Text, &created, &m.State, &m.tries)
	m.CreatedAt = unix(created)
	return m, err
}

// run sends what is queued, until ctx ends; what is left then is sent after the next start.
func (o *outbox) run(ctx context.Context) {
	if o.mail == nil {
		return
	}
	o.poke()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		again, err := o.deliver(ctx)
		if err != nil && ctx.Err() == nil {
			o.log.Error("outbox", "error", err)
		}
		if again > 0 {
			time.AfterFunc(again, o.poke)
		}
	}
}

// deliver tries each queued letter once and says when to try again; 0: never.
func (o *outbox) deliver(ctx context.Context) (again time.Duration, err error) {
	rows, err := o.store.db.QueryContext(ctx, `SELECT `+messageColumns+` FROM messages WHERE state = 'queued' ORDER BY id`)
	list, err := collect(rows, err, scanMessage)
	if err != nil {
		return o.pause, err
	}
	for _, m := range list {
		state, text := "sent", ""
		if err := o.mail.send(ctx, m.Address, m.Subject, m.Text); err != nil {
			o.log.Warn("letter not taken", "to", m.Address, "try", m.tries+1, "error", err)
			state, text = "queued", err.Error()
			if m.tries+1 >= mailTries {
				state = "failed"
			} else {
				again = max(again, o.pause<<m.tries)
			}
		}
		if _, err := o.store.db.ExecContext(ctx, `UPDATE messages SET state = ?, tries = tries + 1, error = ? WHERE id = ?`, state, text, m.ID); err != nil {
			return o.pause, err
		}
	}
	return again, nil
}

func (s *server) listMessages(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	rows, err := s.store.db.QueryContext(r.Context(), `SELECT `+messageColumns+` FROM messages WHERE person = ? ORDER BY id DESC LIMIT 100`, p.ID)
	return collect(rows, err, scanMessage)
}
