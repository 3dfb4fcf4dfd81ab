package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

const documentLimit = 4 << 30

// document is what the portal remembers of a document that was sent for a detached signature: it flows by and leaves its digests.
type document struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	sums   map[tokens.Hash][]byte
}

// digest gives the document's digest by a hash.
func (d document) digest(h tokens.Hash) ([]byte, error) {
	if sum := d.sums[h]; len(sum) > 0 {
		return sum, nil
	}
	return nil, fmt.Errorf("no digest by %q is kept of this document", h)
}

// digesters hash what is written to them by every hash the portal verifies, at the same time: Streebog takes several times as long as the
// others, and which one the signature will be over is not known while the document flows by.
type digesters map[tokens.Hash]hash.Hash

func newDigesters() digesters {
	d := digesters{}
	for _, h := range tokens.Hashes() {
		d[h] = h.New()
	}
	return d
}

func (d digesters) Write(p []byte) (int, error) {
	var all sync.WaitGroup
	for _, h := range d {
		all.Go(func() { h.Write(p) })
	}
	all.Wait()
	return len(p), nil
}

func (s *server) postDocument(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	d := document{ID: randomID(), Name: fileName(r.URL.Query().Get("name"))}
	digests := newDigesters()
	n, err := io.CopyBuffer(digests, http.MaxBytesReader(w, r.Body, documentLimit), make([]byte, 256<<10))
	if err != nil {
		return nil, uploadProblem(err, d.Name)
	}
	sum := func(h tokens.Hash) []byte { return digests[h].Sum(nil) }
	d.Size, d.SHA256 = n, hex.EncodeToString(sum(tokens.SHA256))
	_, err = s.store.db.ExecContext(r.Context(), `INSERT INTO documents (id, person, name, size, sha256, sha384, sha512, streebog256, streebog512, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, d.ID, p.ID, d.Name, d.Size, sum(tokens.SHA256), sum(tokens.SHA384), sum(tokens.SHA512),
		sum(tokens.Streebog256), sum(tokens.Streebog512), time.Now().Unix())
	return d, err
}

func uploadProblem(err error, name string) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &problem{Status: http.StatusRequestEntityTooLarge, Code: documentTooLarge, Values: map[string]string{"name": name}}
	}
	return &problem{Status: http.StatusBadRequest, Code: uploadBroken, Values: map[string]string{"name": name}, Err: err}
}

func (s *store) document(ctx context.Context, id string, person int64) (d document, err error) {
	var sha256, sha384, sha512, streebog256, streebog512 []byte
	err = s.db.QueryRowContext(ctx, `SELECT id, name, size, sha256, sha384, sha512, streebog256, streebog512 FROM documents WHERE id = ? AND person = ?`, id, person).
		Scan(&d.ID, &d.Name, &d.Size, &sha256, &sha384, &sha512, &streebog256, &streebog512)
	if errors.Is(err, sql.ErrNoRows) {
		return d, refuse(http.StatusNotFound, notFound)
	}
	d.SHA256 = hex.EncodeToString(sha256)
	d.sums = map[tokens.Hash][]byte{tokens.SHA256: sha256, tokens.SHA384: sha384, tokens.SHA512: sha512,
		tokens.Streebog256: streebog256, tokens.Streebog512: streebog512}
	return d, err
}
