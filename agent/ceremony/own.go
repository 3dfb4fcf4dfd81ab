package ceremony

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"maps"
	"slices"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// OpenFile takes a file of the person's own as an upload: it is digested now and never copied. An attached signature over it is made of the
// file again when it is fetched; one that changed meanwhile is refused then (R26). The file stays the caller's, to be open until that.
func (a *Agent) OpenFile(ctx context.Context, c api.Caller, p api.OpenDocumentParams, file io.ReaderAt) (number uint32, err error) {
	defer a.done(c, "open a file", &err)
	if err := checkDocument(p); err != nil {
		return 0, err
	}
	digests := map[tokens.Hash]hash.Hash{tokens.SHA256: sha256.New()}
	if p.Digest != "" {
		h, err := digestAlgorithm("digest", p.Digest)
		if err != nil {
			return 0, err
		}
		digests[h] = h.New()
	}
	n, err := signature.Copy(ctx, nil, io.NewSectionReader(file, 0, p.Size), p.Size, slices.Collect(maps.Values(digests))...)
	if err != nil {
		return 0, err
	}
	if n < p.Size {
		return 0, refuse(api.DocumentChanged, "%d octets of %d", n, p.Size)
	}
	u := &upload{name: p.Name, size: p.Size, got: p.Size, own: file, sums: map[tokens.Hash][]byte{}}
	for alg, h := range digests {
		u.sums[alg] = h.Sum(nil)
	}
	return a.spool.enter(c, u)
}
