package ceremony

import (
	"context"

	"github.com/perosign/pero/agent/status"
	"github.com/perosign/pero/api"
)

// Status says whether a certificate is good now; agent/status does.
type Status interface {
	Check(ctx context.Context, leaf []byte, known [][]byte) (status.Result, error)
	Chain(leaf []byte, known [][]byte) [][]byte
}

// CertificateStatus implements api.Agent.
func (a *Agent) CertificateStatus(ctx context.Context, c api.Caller, p api.CertificateParams) (r api.StatusResult, err error) {
	defer a.done(c, "certificates.status", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	h, err := a.find(ctx, p.Certificate)
	if err != nil {
		return r, err
	}
	api.Report(ctx, api.Progress{Step: api.StepStatus})
	s, err := a.status.Check(ctx, h.der, h.others)
	if err != nil {
		return r, err
	}
	if s.Err != nil {
		a.log.Info("certificate status", "certificate", h.id, "status", s.Status, "error", s.Err)
	}
	r = api.StatusResult{Status: s.Status, Reason: s.Reason, CheckedAt: s.CheckedAt.UTC(), Chain: s.Chain}
	if s.Source != "" {
		r.Source = &s.Source
	}
	if !s.RevokedAt.IsZero() {
		at := s.RevokedAt.UTC()
		r.RevokedAt = &at
	}
	if s.Status == status.Valid || s.Status == status.Expiring || s.Status == status.Expired {
		r.ExpiresInDays = &s.Days
	}
	if r.Chain == nil {
		r.Chain = [][]byte{h.der}
	}
	return r, nil
}
