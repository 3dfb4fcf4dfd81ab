package ceremony

import (
	"context"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// BeginRenewal implements api.Agent.
func (a *Agent) BeginRenewal(ctx context.Context, c api.Caller, p api.RenewParams) (r api.RenewResult, err error) {
	defer a.done(c, "renew.begin", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	if err := checkRequestID(p.RequestID); err != nil {
		return r, err
	}
	if p.Key != nil {
		if err := checkKey(*p.Key); err != nil {
			return r, err
		}
	}
	app := &application{requestID: p.RequestID}
	if app.extensions, err = extensionsOf(p.Extensions); err != nil {
		return r, err
	}
	if app.parameters, err = parameters("renew", p); err != nil {
		return r, err
	}
	// A lost answer is given again also when the old token is not here any more; so the old certificate is only needed below.
	old, err := a.find(ctx, p.Certificate)
	app.old = &old
	if err != nil {
		if e, found, known := a.known(c, app); known == nil && found && e.CSR != nil {
			return api.RenewResult{Enrollment: e.ID, CSR: e.CSR, SignedRequest: e.SignedRequest}, nil
		}
		return r, err
	}
	e, err := a.begin(ctx, c, app, func() error { return a.planRenewal(ctx, p, app) })
	if err != nil {
		return r, err
	}
	return api.RenewResult{Enrollment: e.ID, CSR: e.CSR, SignedRequest: e.SignedRequest}, nil
}

// planRenewal takes from the old certificate what the page did not say.
func (a *Agent) planRenewal(ctx context.Context, p api.RenewParams, app *application) (err error) {
	if err := app.old.usable(a.now()); err != nil {
		return err
	}
	app.carrier = app.old.carrier
	if p.Token != "" {
		if app.carrier, err = a.carrier(ctx, p.Token); err != nil {
			return err
		}
	}
	app.algorithm = app.old.algorithm
	if p.Key != nil {
		app.algorithm = tokens.KeyAlgorithm(p.Key.Algorithm)
	}
	app.subject = app.old.subject
	if p.Extensions == nil {
		app.extensions = extensionsFrom(app.old.certificate)
	}
	return app.canEnroll(ctx, app.algorithm)
}

// extensionsFrom asks for what the old certificate had, as far as that is for a holder to ask.
func extensionsFrom(c certificate) signature.Extensions {
	had := c.parsed.Extensions
	e := signature.Extensions{
		KeyUsage: had.KeyUsage, ExtendedKeyUsage: had.ExtendedKeyUsage, CertificatePolicies: had.CertificatePolicies,
		Email: had.Email, DNS: had.DNS, SubjectSignTool: had.SubjectSignTool,
	}
	if e.Check() != nil {
		// An odd old certificate must not stop its renewal.
		return signature.Extensions{KeyUsage: e.KeyUsage}
	}
	return e
}
