package ceremony

import (
	"context"
	"errors"
	"io"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
)

// OpenDocument implements api.Agent.
func (a *Agent) OpenDocument(_ context.Context, c api.Caller, p api.OpenDocumentParams) (r api.OpenDocumentResult, err error) {
	defer a.done(c, "documents.open", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	if err := checkDocument(p); err != nil {
		return r, err
	}
	r.Upload, err = a.spool.begin(c, p)
	return r, err
}

func checkDocument(p api.OpenDocumentParams) error {
	switch {
	case p.Size < 0:
		return wrong("size", "%d", p.Size)
	case len(p.Name) > 4*maxText:
		return wrong("name", "%d octets", len(p.Name))
	}
	return checkMediaType("mediaType", p.MediaType)
}

// WriteDocument implements api.Agent.
func (a *Agent) WriteDocument(_ context.Context, c api.Caller, number uint32, chunk []byte) (err error) {
	defer a.done(c, "documents.write", &err)
	u, err := a.spool.upload(c, number)
	if err != nil {
		return err
	}
	return u.write(chunk)
}

// CloseDocument implements api.Agent.
func (a *Agent) CloseDocument(_ context.Context, c api.Caller, p api.CloseDocumentParams) (r api.CloseDocumentResult, err error) {
	defer a.done(c, "documents.close", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	u, err := a.spool.upload(c, p.Upload)
	if err != nil {
		return r, err
	}
	r, err = u.close()
	if err != nil {
		a.spool.release(parcel{c.Conn, p.Upload})
	}
	return r, err
}

// FetchDocument implements api.Agent.
func (a *Agent) FetchDocument(ctx context.Context, c api.Caller, p api.FetchDocumentParams, w io.Writer) (err error) {
	defer a.done(c, "documents.fetch", &err)
	if err := a.admit(c); err != nil {
		return err
	}
	a.spool.mu.Lock()
	at := parcel{c.Conn, p.Download}
	d := a.spool.ready[at]
	delete(a.spool.ready, at)
	a.spool.mu.Unlock()
	if d == nil {
		return wrong("download", "no download %d on this connection", p.Download)
	}
	defer a.spool.discard(d)
	if d.sealed != nil {
		return d.sealed.Write(ctx, w)
	}
	if _, err := signature.Copy(ctx, w, io.NewSectionReader(d.file, 0, d.size), d.size); err != nil {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		return storage("read the result", err)
	}
	return nil
}
