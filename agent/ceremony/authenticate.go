package ceremony

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Bounds of a challenge, octets: at least 256 bits, which nobody guesses.
const (
	minChallenge = 32
	maxChallenge = 1024
)

// authToken is what authenticate gives, as JSON. The signature is over the digest of authPrefix || hash(origin) || hash(challenge), with
// one hash for all three.
type authToken struct {
	Format      string `json:"format"`
	Algorithm   string `json:"algorithm"` // rsa-sha256 (PKCS#1 v1.5), ecdsa-sha256, ecdsa-sha384, ecdsa-sha512 (DER), gost2012-streebog256, gost2012-streebog512 (s || r)
	Certificate []byte `json:"certificate"`
	Signature   []byte `json:"signature"`
}

// Authenticate implements api.Agent.
func (a *Agent) Authenticate(ctx context.Context, c api.Caller, p api.AuthenticateParams) (r api.AuthenticateResult, err error) {
	defer a.done(c, "authenticate", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	if len(p.Challenge) < minChallenge || len(p.Challenge) > maxChallenge {
		return r, wrong("challenge", "%d octets", len(p.Challenge))
	}
	if c.Origin == "" {
		return r, refuse(api.BadRequest, "the command line has no origin to bind the answer to")
	}
	h, err := a.findForUse(ctx, p.Certificate)
	if err != nil {
		return r, err
	}
	if err := h.usable(a.now()); err != nil {
		return r, err
	}
	kind, err := scheme(h.algorithm, "")
	if err != nil {
		return r, err
	}
	algorithm := tokens.Algorithm{Scheme: kind, Hash: tokens.HashOf(h.algorithm)}
	if err := a.journal.Reserve(0); err != nil {
		return r, storage("reserve the journal", err)
	}
	entry := journal.Decision{Act: string(tokens.ActAuthenticate), Token: string(h.token.ID), Certificate: h.id}
	session, err := a.open(ctx, c, h.carrier, h.prompt(tokens.ActAuthenticate, c, a.lang))
	if err != nil {
		return r, errors.Join(err, a.decide(c, entry, err))
	}
	key := signature.Key{Chain: [][]byte{h.der}, Algorithm: algorithm, Sign: signer{session, h.key, algorithm}.sign}
	digest := func(data []byte) []byte {
		d := algorithm.Hash.New()
		d.Write(data)
		return d.Sum(nil)
	}
	sig, err := signature.Raw(ctx, key, digest(slices.Concat([]byte(authPrefix), digest([]byte(c.Origin)), digest(p.Challenge))))
	a.logOut(session)
	if err == nil {
		err = ctx.Err()
	}
	if e := a.decide(c, entry, err); e != nil {
		err = e
	}
	if err != nil {
		return r, err
	}
	name := map[tokens.Scheme]string{tokens.RSAPKCS1v15: "rsa-", tokens.ECDSA: "ecdsa-", tokens.GOST: "gost2012-"}[kind]
	r.Token, err = json.Marshal(authToken{"pero-auth:1", name + string(algorithm.Hash), h.der, sig})
	if err != nil {
		return r, fmt.Errorf("encode the answer: %w", err)
	}
	return r, nil
}
