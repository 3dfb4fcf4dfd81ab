package ceremony

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
)

// OpenFile takes a file of the person's own as an upload: it is digested now and never copied. An attached signature over it is made of the
// file again when it is fetched; one that changed meanwhile is refused then. The file stays the caller's, to be open until that.
func (a *Agent) OpenFile(ctx context.Context, c api.Caller, p api.OpenDocumentParams, file io.ReaderAt) (number uint32, err error) {
	defer a.done(c, "open a file", &err)
	if err := checkDocument(p); err != nil {
		return 0, err
	}
	u, err := newUpload(p)
	if err != nil {
		return 0, err
	}
	u.own = file
	u.got, err = signature.Copy(ctx, nil, io.NewSectionReader(file, 0, u.size), u.size, slices.Collect(maps.Values(u.digests))...)
	if err != nil {
		return 0, err
	}
	if u.got < u.size {
		return 0, refuse(api.DocumentChanged, "%d octets of %d", u.got, u.size)
	}
	if _, err := u.close(); err != nil {
		return 0, err
	}
	return a.spool.enter(c, u)
}
