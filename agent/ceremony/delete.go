package ceremony

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Content is a key or a certificate on a token, as the person is told of it to name one.
type Content struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"` // key, certificate
	Name     string    `json:"name"` // the key's label, the certificate's holder
	Issuer   string    `json:"issuer,omitempty"`
	NotAfter time.Time `json:"notAfter,omitzero"`
	Key      string    `json:"key,omitempty"` // of a certificate: the id of its key, when that is there
}

// The kinds of Content.
const (
	KindKey         = "key"
	KindCertificate = "certificate"
)

// Contents lists what is on a token, as far as it can be seen without a PIN.
func (a *Agent) Contents(ctx context.Context, c api.Caller, token string) (list []Content, err error) {
	defer a.done(c, "list a token's contents", &err)
	at, err := a.carrier(ctx, token)
	if err != nil {
		return nil, err
	}
	keys, held, err := a.inside(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		list = append(list, Content{ID: string(k.ID), Kind: KindKey, Name: keyLoss(k).Name})
	}
	for _, h := range held {
		l := h.loss()
		list = append(list, Content{ID: h.id, Kind: KindCertificate, Name: l.Name, Issuer: l.Issuer, NotAfter: l.NotAfter, Key: string(h.key)})
	}
	return list, nil
}

// Delete removes a certificate, or a key with all its certificates, by an id that Contents gave. The certificates go first: what is left when
// the token is pulled out in between is a key that can be named and deleted.
func (a *Agent) Delete(ctx context.Context, c api.Caller, token, id string) (err error) {
	defer a.done(c, "delete", &err)
	at, err := a.carrier(ctx, token)
	if err != nil {
		return err
	}
	if err := at.ready(ctx); err != nil {
		return err
	}
	if !at.token.Writable {
		return fmt.Errorf("token %q: %w", at.token.Label, tokens.ErrReadOnly)
	}
	going, err := a.going(ctx, at, id)
	if err != nil {
		return err
	}
	if err := a.journal.Reserve(0); err != nil {
		return storage("reserve the journal", err)
	}
	prompt := tokens.Prompt{Act: tokens.ActDelete, Origin: c.Origin, Language: a.lang, Token: at.token, Lost: going.lost}
	s, err := a.open(ctx, c, at, prompt)
	if err == nil {
		err = going.from(ctx, s)
		a.logOut(s)
	}
	a.events.touch(true)
	d := journal.Decision{Act: string(tokens.ActDelete), Token: string(at.token.ID)}
	if going.key == "" {
		d.Certificate = id
	}
	return errors.Join(err, a.decide(c, d, err))
}

// going is what a deletion takes with it.
type going struct {
	key          tokens.KeyID // "": the certificates alone
	certificates [][]byte
	lost         []tokens.PromptLoss
}

func (a *Agent) going(ctx context.Context, at carrier, id string) (g going, err error) {
	keys, held, err := a.inside(ctx, at)
	if err != nil {
		return g, err
	}
	for _, k := range keys {
		if string(k.ID) == id {
			g.key, g.lost = k.ID, append(g.lost, keyLoss(k))
		}
	}
	for _, h := range held {
		if h.id == id || g.key != "" && h.key == g.key {
			g.certificates, g.lost = append(g.certificates, h.der), append(g.lost, h.loss())
		}
	}
	if len(g.lost) == 0 {
		return g, fmt.Errorf("nothing on token %q is %q: %w", at.token.Label, id, tokens.ErrNoKey)
	}
	return g, nil
}

func (g going) from(ctx context.Context, s tokens.Session) error {
	for _, der := range g.certificates {
		if err := s.DeleteCertificate(ctx, der); err != nil {
			return err
		}
	}
	if g.key == "" {
		return nil
	}
	return s.Delete(ctx, g.key)
}
