package ceremony

import (
	"context"
	"encoding/pem"
	"slices"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Tokens implements api.Agent.
func (a *Agent) Tokens(ctx context.Context, c api.Caller) (r api.TokensResult, err error) {
	defer a.done(c, "tokens.list", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	return a.tokens(ctx)
}

func (a *Agent) tokens(ctx context.Context) (api.TokensResult, error) {
	all, err := a.carriers(ctx)
	r := api.TokensResult{Tokens: make([]api.Token, 0, len(all))}
	for _, at := range all {
		r.Tokens = append(r.Tokens, tokenView(at.token))
	}
	return r, err
}

func tokenView(t tokens.Token) api.Token {
	v := api.Token{
		ID: string(t.ID), Label: t.Label, Manufacturer: t.Manufacturer, Model: t.Model, SerialNumber: t.SerialNumber, Reader: t.Reader,
		Carrier: string(t.Carrier), State: string(t.State), Writable: t.Writable, PINPad: t.PINPad, ToBeChanged: t.ToBeChanged, KeyAlgorithms: []string{},
	}
	for _, k := range t.Algorithms {
		v.KeyAlgorithms = append(v.KeyAlgorithms, string(k))
	}
	return v
}

// Certificates implements api.Agent.
func (a *Agent) Certificates(ctx context.Context, c api.Caller, p api.CertificatesParams) (r api.CertificatesResult, err error) {
	defer a.done(c, "certificates.list", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	for _, k := range p.KeyAlgorithms {
		if !slices.Contains(keyAlgorithms, tokens.KeyAlgorithm(k)) {
			return r, wrong("keyAlgorithms", "%q", k)
		}
	}
	list, err := a.everything(ctx)
	if err != nil {
		return r, err
	}
	r.Certificates = []api.Certificate{}
	now := a.now()
	for _, h := range list {
		switch {
		case p.Usable != nil && *p.Usable != (h.usable(now) == nil):
		case len(p.KeyAlgorithms) > 0 && !slices.Contains(p.KeyAlgorithms, string(h.algorithm)):
		case len(p.Issuers) > 0 && !slices.Contains(p.Issuers, h.issuer.Get("commonName")):
		default:
			r.Certificates = append(r.Certificates, h.view())
		}
	}
	return r, nil
}

var keyAlgorithms = []tokens.KeyAlgorithm{
	tokens.RSA2048, tokens.RSA3072, tokens.RSA4096, tokens.ECP256, tokens.ECP384, tokens.ECP521, tokens.GOST2012256, tokens.GOST2012512,
}

// ExportCertificate implements api.Agent.
func (a *Agent) ExportCertificate(ctx context.Context, c api.Caller, p api.CertificateParams) (r api.ExportResult, err error) {
	defer a.done(c, "certificates.export", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	h, err := a.find(ctx, p.Certificate)
	if err != nil {
		return r, err
	}
	return api.ExportResult{
		DER:   h.der,
		PEM:   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.der})),
		Chain: append([][]byte{}, a.chain(h)[1:]...),
	}, nil
}

// chain gives the certificate and the issuers that are known, leaf first.
func (a *Agent) chain(h holding) [][]byte {
	if chain := a.status.Chain(h.der, h.others); len(chain) > 0 {
		return chain
	}
	return [][]byte{h.der}
}
