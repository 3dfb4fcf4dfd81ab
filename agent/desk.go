package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

const (
	// gather is how long changes are gathered before everything is looked at again: one insertion makes several.
	gather = 100 * time.Millisecond
	// glance is how often a tray's connection looks for what tells nobody of itself: sites changed by a command, days that pass.
	glance = 5 * time.Second
	// days is how often the days left are counted anew.
	days = time.Hour
)

// desk answers what only the person may ask. It is one for all connections of an agent.
type desk struct {
	*app
	*stack

	mu      sync.Mutex
	portals map[string]string // origins by the id of the certificate that their application brought; nil: the journal was not read yet
}

// visit is the desk as one connection sees it.
type visit struct {
	*desk
	ctx context.Context // of the connection

	mu      sync.Mutex
	last    local.State
	changed chan struct{} // nil: nobody waits for changes yet
}

func (d *desk) visit(ctx context.Context) local.Person { return &visit{desk: d, ctx: ctx} }

// State implements local.Person.
func (v *visit) State(ctx context.Context, p local.StateParams) (local.State, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.After == 0 || p.After != v.last.Revision {
		return v.look(ctx)
	}
	if v.changed == nil {
		if err := v.follow(); err != nil {
			return local.State{}, err
		}
	}
	tick := time.NewTicker(glance)
	defer tick.Stop()
	counted := time.Now()
	for {
		select {
		case <-ctx.Done():
			return local.State{}, ctx.Err()
		case <-v.changed:
			if err := sleep(ctx, gather); err != nil {
				return local.State{}, err
			}
		case <-tick.C:
			if now, err := v.siteList(); err == nil && reflect.DeepEqual(now, v.last.Sites) && time.Since(counted) < days {
				continue
			}
			counted = time.Now()
		}
		before := v.last
		now, err := v.look(ctx)
		if err != nil {
			return now, err
		}
		if before.Revision = now.Revision; !reflect.DeepEqual(before, now) {
			return now, nil
		}
	}
}

// follow has everything that tells of its changes poke this connection, until it ends.
func (v *visit) follow() error {
	changed := v.pulse.listen(v.ctx)
	v.changed = changed
	poke(changed) // for what happened since the last look
	return v.agent.Subscribe(v.ctx, person(), api.SubscribeParams{Events: []string{"tokens", "certificates"}}, func(api.Notification) { poke(changed) })
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// look tells how things stand. What cannot be read is missing from it, and hides nothing else.
func (v *visit) look(ctx context.Context) (local.State, error) {
	s := local.State{Revision: v.last.Revision + 1, Version: version(), Causes: []local.Cause{}, Tokens: []local.Token{}}
	list, err := v.agent.Tokens(ctx, person())
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	var held api.CertificatesResult
	if err == nil {
		held, err = v.agent.Certificates(ctx, person(), api.CertificatesParams{})
	}
	var failed *api.Error
	if err != nil && !errors.As(err, &failed) { // a module that does not answer is a state, and no failure to tell it
		return s, err
	}
	if s.Sites, err = v.siteList(); err != nil {
		return s, err
	}
	portals, err := v.origins()
	if err != nil {
		return s, err
	}
	now := time.Now()
	for _, t := range list.Tokens {
		if t.Carrier == string(tokens.File) && t.State == string(tokens.PINNotSet) {
			continue // the place for a key file that is not there yet
		}
		at := local.Token{ID: t.ID, Label: visible(t.Label), Carrier: t.Carrier, State: t.State, ToBeChanged: t.ToBeChanged, Certificates: []local.Certificate{}}
		for _, c := range held.Certificates {
			if c.Token == t.ID && c.HasPrivateKey {
				until := keyEnd(c)
				at.Certificates = append(at.Certificates, local.Certificate{ID: c.ID, Holder: visible(holder(c.Subject)), Issuer: visible(holder(c.Issuer)),
					Until: until, Days: daysLeft(until, now), Portal: portals[c.ID]})
			}
		}
		slices.SortFunc(at.Certificates, func(a, b local.Certificate) int {
			return cmp.Or(b.Until.Compare(a.Until), cmp.Compare(a.ID, b.ID))
		})
		s.Tokens = append(s.Tokens, at)
	}
	slices.SortFunc(s.Tokens, func(a, b local.Token) int { return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.ID, b.ID)) })
	asking, crashed, refusal := v.pulse.now()
	s.Refusal = refusal
	s.Status, s.Causes = judge(s.Tokens, asking, crashed)
	v.last = s
	return s, nil
}

// keyEnd is when a certificate can sign no more: its end, or that of its key.
func keyEnd(c api.Certificate) time.Time {
	if parsed, err := signature.ParseCertificate(c.DER); err == nil {
		if until := parsed.Extensions.PrivateKeyUsageNotAfter; !until.IsZero() && until.Before(c.NotAfter) {
			return until.UTC()
		}
	}
	return c.NotAfter.UTC()
}

// daysLeft counts whole days; on the last day 0, after the end less.
func daysLeft(until, now time.Time) int {
	const day = 24 * time.Hour
	left := until.Sub(now)
	if left < 0 {
		return int(-((-left + day - 1) / day))
	}
	return int(left / day)
}

// judge says in one word what the icon shows, and why, the gravest first.
func judge(list []local.Token, asking bool, crashed []string) (local.Status, []local.Cause) {
	busy, grave, mild := []local.Cause{}, []local.Cause{}, []local.Cause{}
	if asking {
		busy = append(busy, local.Cause{What: local.Asking})
	}
	for _, name := range crashed {
		grave = append(grave, local.Cause{What: local.ModuleCrashed, Name: name})
	}
	for _, t := range list {
		switch tokens.State(t.State) {
		case tokens.PINLocked:
			grave = append(grave, local.Cause{What: local.PINLocked, Name: t.Label})
		case tokens.PINFinalTry:
			mild = append(mild, local.Cause{What: local.PINFinalTry, Name: t.Label})
		case tokens.PINLow:
			mild = append(mild, local.Cause{What: local.PINLow, Name: t.Label})
		}
		if t.ToBeChanged {
			mild = append(mild, local.Cause{What: local.PINExchange, Name: t.Label})
		}
	}
	soon := int(local.Soon / (24 * time.Hour))
	for _, c := range ending(list) {
		switch {
		case c.Days >= 0 && c.Days < soon:
			mild = append(mild, local.Cause{What: local.Expiring, Name: c.Holder, Days: c.Days})
		case c.Days < 0 && c.Days >= -soon:
			mild = append(mild, local.Cause{What: local.Expired, Name: c.Holder, Days: c.Days})
		}
	}
	causes := slices.Concat(busy, grave, mild)
	switch {
	case len(busy) > 0:
		return local.Busy, causes
	case len(grave) > 0:
		return local.Problem, causes
	case len(mild) > 0:
		return local.Warning, causes
	case len(list) == 0:
		return local.None, []local.Cause{}
	}
	return local.Ready, []local.Cause{}
}

// ending gives the certificates whose end matters: of those with one holder and one issuer only the one that lasts longest, for the
// others have been re-issued.
func ending(list []local.Token) []local.Certificate {
	longest := map[[2]string]local.Certificate{}
	for _, t := range list {
		for _, c := range t.Certificates {
			who := [2]string{c.Holder, c.Issuer}
			if other, ok := longest[who]; !ok || c.Until.After(other.Until) {
				longest[who] = c
			}
		}
	}
	var all []local.Certificate
	for _, c := range longest {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b local.Certificate) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID)) })
	return all
}

func (d *desk) siteList() ([]local.Site, error) {
	grants, err := d.sites.List()
	if err != nil {
		return nil, err
	}
	list := []local.Site{}
	for _, g := range grants {
		s := local.Site{Origin: g.Origin, Access: string(g.Access), Configured: g.Configured}
		if u := g.Until.UTC().Truncate(24 * time.Hour); !g.Until.IsZero() { // it moves on with each use: a day is near enough
			s.Until = &u
		}
		list = append(list, s)
	}
	return list, nil
}

// origins gives the portals that certificates came from, by the journal of their applications.
func (d *desk) origins() (map[string]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	note := func(e journal.Enrollment) {
		if len(e.Chain) > 0 && e.Origin != "" && (e.State == journal.Written || e.State == journal.Proved) {
			sum := sha256.Sum256(e.Chain[0])
			d.portals[hex.EncodeToString(sum[:])] = e.Origin
		}
	}
	if d.portals == nil {
		d.portals = map[string]string{}
		err := d.journal.Records(func(r journal.Record) error {
			if r.Enrollment != nil {
				note(*r.Enrollment)
			}
			return nil
		})
		if err != nil {
			d.portals = nil
			return nil, err
		}
	}
	recent, err := d.journal.Enrollments() // what came since, and those of other processes
	for _, e := range recent {
		note(e)
	}
	return maps.Clone(d.portals), err
}

// Revoke implements local.Person.
func (d *desk) Revoke(_ context.Context, p local.RevokeParams) (local.RevokeResult, error) {
	err := d.sites.Revoke(p.Origin)
	d.pulse.change(func() bool { return true })
	var worded worded
	if err = d.aboutSite(p.Origin, err); errors.As(err, &worded) {
		reason := api.Conflict
		if errors.Is(err, sites.ErrOrigin) {
			reason = api.BadRequest
		}
		return local.RevokeResult{}, &api.Error{Reason: reason, Message: worded.Error(), Err: err}
	}
	return local.RevokeResult{}, err
}

// PIN implements local.Person.
func (d *desk) PIN(ctx context.Context, p local.PINParams) (r local.PINResult, err error) {
	switch p.Act {
	case local.ChangePIN:
		return r, d.agent.ChangePIN(ctx, person(), p.Token)
	case local.ResetPIN:
		return r, d.agent.ResetPIN(ctx, person(), p.Token)
	}
	return r, &api.Error{Reason: api.BadRequest, Member: "act"}
}

// Journal implements local.Person.
func (d *desk) Journal(_ context.Context, p local.JournalParams) (local.JournalResult, error) {
	if p.Last < 1 || p.Last > local.MaxRecords {
		return local.JournalResult{}, &api.Error{Reason: api.BadRequest, Member: "last"}
	}
	var last []local.Record
	err := d.journal.Records(func(r journal.Record) error {
		short := local.Record{Time: r.Time.UTC()}
		switch {
		case r.Decision != nil:
			short.Origin, short.Act, short.Decision, short.Result = r.Decision.Origin, r.Decision.Act, r.Decision.Decision, r.Decision.Result
			short.Documents = len(r.Decision.Documents)
		case r.Enrollment != nil:
			short.Origin, short.Application, short.State = r.Enrollment.Origin, r.Enrollment.ID, string(r.Enrollment.State)
		default:
			return nil
		}
		if last = append(last, short); len(last) > 2*p.Last {
			last = slices.Clone(last[len(last)-p.Last:])
		}
		return nil
	})
	last = slices.Clone(last[max(0, len(last)-p.Last):])
	slices.Reverse(last)
	if last == nil {
		last = []local.Record{}
	}
	return local.JournalResult{Records: last}, err
}

// desk is what the local socket answers with.
func (a *app) desk(s *stack, log *slog.Logger) local.Config {
	d := &desk{app: a, stack: s}
	return local.Config{Agent: s.agent, Person: d.visit, Say: say(a.words), Log: log}
}
