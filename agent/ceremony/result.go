package ceremony

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"os"

	"github.com/perosign/pero/agent/signature"
)

// result takes in one signature: in memory as long as it fits into an answer, beyond that in a file of the spool.
type result struct {
	spool  *spool
	small  bytes.Buffer
	file   *os.File
	size   int64
	sum    hash.Hash
	sealed *signature.Sealed // around a file of the person's own: written when it is fetched
}

// Write implements io.Writer.
func (r *result) Write(p []byte) (int, error) {
	if r.file == nil && r.small.Len()+len(p) <= maxInline {
		return r.small.Write(p)
	}
	if r.file == nil {
		if err := r.spill(); err != nil {
			return 0, err
		}
	}
	return len(p), r.put(p)
}

// spill moves what is in memory into a file.
func (r *result) spill() error {
	f, err := r.spool.create()
	if err != nil {
		return err
	}
	r.file, r.sum = f, sha256.New()
	err = r.put(r.small.Bytes())
	r.small = bytes.Buffer{}
	return err
}

func (r *result) put(p []byte) error {
	if err := r.spool.take(int64(len(p))); err != nil {
		return err
	}
	r.size += int64(len(p))
	if err := keepAndDigest(r.file, p, r.sum); err != nil {
		return storage("keep the signature", err)
	}
	return nil
}

// download gives what was written as a download.
func (r *result) download() (*download, error) {
	if r.sealed != nil {
		return &download{size: r.sealed.Size(), sealed: r.sealed}, nil
	}
	if r.file == nil {
		if err := r.spill(); err != nil {
			return nil, err
		}
	}
	return &download{file: r.file, size: r.size, sum: r.sum.Sum(nil)}, nil
}

// drop forgets what was written.
func (r *result) drop() {
	r.small = bytes.Buffer{}
	if r.file != nil {
		r.file.Close()
		r.spool.give(r.size)
		r.file = nil
	}
}
