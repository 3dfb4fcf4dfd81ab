package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// signAll signs the set. A document that fails has its error; a token that is gone ends the rest with the same error.
func (a *Agent) signAll(ctx context.Context, session tokens.Session, p *signing) ([]*result, []error) {
	results, errs := make([]*result, len(p.documents)), make([]error, len(p.documents))
	for i := range results {
		results[i] = &result{spool: &a.spool}
	}
	batches, err := p.batches(session)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return results, errs
	}
	workers := min(signingWorkers, len(p.documents))
	if p.asksAgain() {
		workers = 1 // the windows for the PINs come one after the other
	}
	var (
		mu    sync.Mutex
		next  int
		done  int
		fatal error
	)
	total := len(p.documents)
	stride := max(1, total/50)
	api.Report(ctx, api.Progress{Step: api.StepSigning, Total: total})
	each(workers, func(int) {
		for {
			mu.Lock()
			i, stop := next, fatal
			next++
			mu.Unlock()
			if i >= total {
				return
			}
			if stop == nil {
				stop = ctx.Err()
			}
			err := stop
			if errors.Is(err, tokens.ErrOutcomeUnknown) { // of this document it is known
				cause := tokens.ErrModuleCrashed
				if errors.Is(err, tokens.ErrRemoved) {
					cause = tokens.ErrRemoved
				}
				err = fmt.Errorf("not tried: %w", cause)
			}
			if err == nil {
				err = a.signOne(ctx, batches[p.documents[i].hash], p, &p.documents[i], results[i])
			}
			if errs[i] = err; err != nil {
				results[i].drop()
			}
			mu.Lock()
			if err != nil && fatal == nil && endsAll(err) {
				fatal = err
			}
			done++
			n := done
			mu.Unlock()
			if n%stride == 0 || n == total {
				api.Report(ctx, api.Progress{Step: api.StepSigning, Done: n, Total: total})
			}
		}
	})
	return results, errs
}

// endsAll tells errors after which nothing further is tried: the token is gone or faulty, or its PIN was refused, or the person had enough.
func endsAll(err error) bool {
	return slices.ContainsFunc([]error{
		tokens.ErrRemoved, tokens.ErrModuleCrashed, tokens.ErrPINIncorrect, tokens.ErrPINLocked, tokens.ErrCancelled, tokens.ErrTimedOut,
		tokens.ErrNoKey, tokens.ErrNoWindow, tokens.ErrKeyboardHeld, tokens.ErrByteOrder, context.Canceled,
	}, func(e error) bool { return errors.Is(err, e) })
}

// signer lets the key of the set sign. A token that hashes does so where the message is here; of a raw signature only the digest is.
func (p *signing) signer(session tokens.Session, hash tokens.Hash) signer {
	return signer{session, p.key, tokens.Algorithm{Scheme: p.scheme, Hash: hash, TokenHash: p.tokenHash && p.format != raw}}
}

// batches prepares what the signatures of each hash have in common.
func (p *signing) batches(session tokens.Session) (map[tokens.Hash]*signature.Batch, error) {
	batches := map[tokens.Hash]*signature.Batch{}
	for _, d := range p.documents {
		if batches[d.hash] != nil {
			continue
		}
		s := p.signer(session, d.hash)
		b, err := signature.Key{Chain: p.chain, Algorithm: s.algorithm, Sign: s.sign}.Batch()
		if err != nil {
			return nil, err
		}
		batches[d.hash] = b
	}
	return batches, nil
}

func (a *Agent) signOne(ctx context.Context, batch *signature.Batch, p *signing, d *document, w *result) error {
	if p.format == raw {
		sig, err := batch.Raw(ctx, d.digest)
		if err != nil {
			return err
		}
		_, err = w.Write(sig)
		return err
	}
	what := signature.Document{Digest: d.digest, Size: d.size, MediaType: d.mediaType}
	if p.attached {
		// What was shown is what is signed: CAdES digests these octets once more and refuses others.
		if what.Content = d.content(); what.Content == nil {
			return refuse(api.DocumentChanged, "the upload is gone")
		}
	}
	if p.attached && d.own {
		var err error
		w.sealed, err = batch.Seal(ctx, what, a.now())
		return err
	}
	return batch.CAdES(ctx, w, what, a.now())
}

// hand turns results into the answer's members: small ones as they are, large ones as downloads of this connection.
func (a *Agent) hand(c api.Caller, p *signing, results []*result, errs []error) ([]api.Signature, error) {
	out := make([]api.Signature, len(results))
	by := p.hashedBy()
	inline := 0
	var offered []uint32
	for i, s := range results {
		out[i].ID = p.documents[i].id
		if errs[i] != nil {
			out[i].Error = a.worded(errs[i])
			continue
		}
		out[i].HashedBy = by
		if inline += s.small.Len(); s.file == nil && s.sealed == nil && inline <= maxInlineSum {
			out[i].Signature = s.small.Bytes()
			continue
		}
		d, err := s.download()
		if err != nil {
			a.spool.withdraw(c.Conn, offered) // the caller drops them
			return nil, err
		}
		out[i].Download = a.spool.offer(c.Conn, d)
		offered = append(offered, out[i].Download.Number)
	}
	return out, nil
}
