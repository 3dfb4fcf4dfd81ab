package ceremony

import (
	"context"
	"sync"
	"time"

	"github.com/perosign/pero/api"
)

// How long and how many answers of sign are kept for a page that asks again under the same requestId.
const (
	keepAnswers   = 10 * time.Minute
	maxAnswers    = 64
	maxAnswerSize = 256 << 10
)

// answers makes sign idempotent: a page whose connection broke may ask again and the person is not asked twice. It is kept in
// memory, for minutes; an answer with downloads is not kept, they belong to their connection.
type answers struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[asked]*kept
}

type asked struct{ origin, request string }

type kept struct {
	written string // fingerprint of the parameters as they were written, on their connection
	meant   string // fingerprint of what was asked
	answer  api.SignResult
	whole   bool // the answer was kept
	until   time.Time
}

func (a *answers) get(origin, request string) *kept {
	k := a.kept[asked{origin, request}]
	if k == nil || a.now().After(k.until) {
		return nil
	}
	return k
}

// same finds the answer to the very same frame: its uploads may be gone by now.
func (a *answers) same(origin, request, written string) (api.SignResult, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.get(origin, request)
	if k == nil || k.written != written || !k.whole {
		return api.SignResult{}, false
	}
	return k.answer, true
}

// meant finds the answer to the same wish, however it came, and refuses another wish under the same requestId.
func (a *answers) meant(origin, request, meant string) (api.SignResult, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.get(origin, request)
	switch {
	case k == nil:
		return api.SignResult{}, false, nil
	case k.meant != meant:
		return api.SignResult{}, false, &api.Error{Reason: api.Conflict, Member: "requestId"}
	}
	return k.answer, k.whole, nil
}

func (a *answers) keep(origin, request, written, meant string, r api.SignResult) {
	k := &kept{written: written, meant: meant, whole: true, until: a.now().Add(keepAnswers)}
	size := 0
	for _, s := range r.Results {
		size += len(s.Signature)
		k.whole = k.whole && s.Download == nil && s.Error == nil
	}
	if k.whole = k.whole && size <= maxAnswerSize; k.whole {
		k.answer = r
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil {
		a.kept = map[asked]*kept{}
	}
	if len(a.kept) >= maxAnswers {
		var oldest asked
		for id, k := range a.kept {
			if o := a.kept[oldest]; o == nil || k.until.Before(o.until) {
				oldest = id
			}
		}
		delete(a.kept, oldest)
	}
	a.kept[asked{origin, request}] = k
}

// once lets one request of an origin and requestId run at a time; a repeated one waits and then finds what the first left.
func (a *Agent) once(ctx context.Context, c api.Caller, request string) (leave func(), err error) {
	name := c.Origin + " " + request
	for {
		a.naming.Lock()
		busy, ok := a.working[name]
		if !ok {
			mine := make(chan struct{})
			a.working[name] = mine
			a.naming.Unlock()
			return func() {
				a.naming.Lock()
				delete(a.working, name)
				a.naming.Unlock()
				close(mine)
			}, nil
		}
		a.naming.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
