package ca

import (
	"context"
	"fmt"
	"math/big"
	"time"
)

const (
	listLife  = 24 * time.Hour // nextUpdate of a CRL
	listFresh = time.Hour      // a CRL is made anew after this
)

type revocationList struct {
	der  []byte
	made time.Time
}

// Revoke ends a certificate for a reason of RFC 5280. The next CRL and OCSP answers say so.
func (a *Authority) Revoke(ctx context.Context, serial string, reason int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.register.Revoke(ctx, serial, time.Now(), reason); err != nil {
		return err
	}
	a.list = revocationList{}
	return nil
}

// CRL gives the current list of revoked certificates, DER.
func (a *Authority) CRL(ctx context.Context) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.list.der != nil && now.Sub(a.list.made) < listFresh {
		return a.list.der, nil
	}
	entries, err := a.register.Revoked(ctx)
	if err != nil {
		return nil, err
	}
	var list []revoked
	for _, e := range entries {
		serial, ok := new(big.Int).SetString(e.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("register: serial %q", e.Serial)
		}
		list = append(list, revoked{serial, e.RevokedAt, e.Reason})
	}
	der, err := a.issuing.list(list, now)
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	a.list = revocationList{der, now}
	return der, nil
}

// RootCRL is the root's list: the issuing certificate is never revoked in a demonstration.
func (a *Authority) RootCRL() ([]byte, error) { return a.root.list(nil, time.Now()) }

// list numbers a list by its time, which never repeats: a list lives longer than a microsecond.
func (p pair) list(entries []revoked, now time.Time) ([]byte, error) {
	var x extensions
	x.authority(p.cert.SubjectKeyId)
	x.number(big.NewInt(now.UnixMicro()))
	if x.err != nil {
		return nil, x.err
	}
	return p.key.list(p.cert.RawSubject, now.Add(-time.Minute), now.Add(listLife), entries, x.list)
}
