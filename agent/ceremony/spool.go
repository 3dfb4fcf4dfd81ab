package ceremony

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Limits of documents on their way.
const (
	maxUploads   = 256       // of one connection, open or closed
	maxSpool     = 8 << 30   // octets of all spooled uploads and downloads together
	maxInline    = 512 << 10 // octets of one result that goes into the answer itself
	maxInlineSum = 8 << 20   // of all results of an answer
)

// spool keeps uploads and downloads: what must be read again in files that have no name and are nobody else's, of everything else
// only digests. Numbers are looked up under their connection.
type spool struct {
	dir string

	mu      sync.Mutex
	last    uint32
	uploads map[parcel]*upload
	ready   map[parcel]*download
	used    int64
}

type parcel struct {
	conn   uint64
	number uint32
}

// upload is a document that arrives in pieces.
type upload struct {
	mu      sync.Mutex
	name    string
	size    int64 // as announced
	got     int64
	head    []byte // the first headLength octets
	digests map[tokens.Hash]hash.Hash
	sums    map[tokens.Hash][]byte // once closed
	file    *os.File               // nil: only the digests are kept
	own     io.ReaderAt            // a file of the person's own, instead
	err     error                  // the upload is broken
	gone    bool
}

// download is a result that waits to be fetched.
type download struct {
	file   *os.File
	size   int64
	sum    []byte            // nil with sealed: nobody has read it yet
	sealed *signature.Sealed // around a file of the person's own, instead of file
}

func (s *spool) create() (*os.File, error) {
	f, err := nameless(s.dir)
	if err != nil {
		return nil, storage("make a temporary file", err)
	}
	return f, nil
}

// take books octets; give gives them back.
func (s *spool) take(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > maxSpool-s.used {
		return refuse(api.DocumentTooLarge, "%d octets beside %d already kept", n, s.used)
	}
	s.used += n
	return nil
}

func (s *spool) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
}

// newUpload is an upload before its first octet: what is digested on the way is settled now.
func newUpload(p api.OpenDocumentParams) (*upload, error) {
	u := &upload{name: p.Name, size: p.Size, digests: map[tokens.Hash]hash.Hash{tokens.SHA256: sha256.New()}}
	if p.Digest != "" {
		h, err := digestAlgorithm("digest", p.Digest)
		if err != nil {
			return nil, err
		}
		u.digests[h] = h.New()
	}
	return u, nil
}

func (s *spool) begin(c api.Caller, p api.OpenDocumentParams) (uint32, error) {
	u, err := newUpload(p)
	if err != nil {
		return 0, err
	}
	switch p.Packaging {
	case detached:
	case attached, "":
		if err := s.take(p.Size); err != nil {
			return 0, err
		}
		f, err := s.create()
		if err != nil {
			s.give(p.Size)
			return 0, err
		}
		u.file = f
	default:
		return 0, wrong("packaging", "%q", p.Packaging)
	}
	number, err := s.enter(c, u)
	if err != nil && u.file != nil {
		u.file.Close()
		s.give(u.size)
	}
	return number, err
}

// enter gives an upload its number.
func (s *spool) enter(c api.Caller, u *upload) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := 0
	for at := range s.uploads {
		if at.conn == c.Conn {
			mine++
		}
	}
	if mine >= maxUploads {
		return 0, refuse(api.RateLimited, "%d uploads on this connection", mine)
	}
	if s.uploads == nil {
		s.uploads = map[parcel]*upload{}
	}
	s.last++
	s.uploads[parcel{c.Conn, s.last}] = u
	return s.last, nil
}

func (s *spool) upload(c api.Caller, number uint32) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[parcel{c.Conn, number}]
	if u == nil {
		return nil, wrong("upload", "no upload %d on this connection", number)
	}
	return u, nil
}

// write takes the next octets.
func (u *upload) write(chunk []byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.err != nil:
		return u.err
	case u.sums != nil || u.gone:
		return wrong("upload", "it is closed")
	case int64(len(chunk)) > u.size-u.got:
		u.err = refuse(api.DocumentTooLarge, "more than the %d octets announced", u.size)
		return u.err
	}
	if err := keepAndDigest(u.file, chunk, slices.Collect(maps.Values(u.digests))...); err != nil {
		u.err = storage("keep the document", err)
		return u.err
	}
	u.got += int64(len(chunk))
	u.head = append(u.head, chunk[:min(len(chunk), headLength-len(u.head))]...)
	return nil
}

// keepAndDigest writes to the file, if there is one, while the digests are computed.
func keepAndDigest(f *os.File, chunk []byte, digests ...hash.Hash) error {
	if f == nil || len(chunk) < 16<<10 {
		for _, h := range digests {
			h.Write(chunk)
		}
		if f == nil {
			return nil
		}
		_, err := f.Write(chunk)
		return err
	}
	var wait sync.WaitGroup
	for _, h := range digests {
		wait.Go(func() { h.Write(chunk) })
	}
	_, err := f.Write(chunk)
	wait.Wait()
	return err
}

func (u *upload) close() (api.CloseDocumentResult, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.err != nil:
		return api.CloseDocumentResult{}, u.err
	case u.gone:
		return api.CloseDocumentResult{}, wrong("upload", "it is closed")
	case u.got != u.size:
		u.err = wrong("upload", "%d octets of %d came", u.got, u.size)
		return api.CloseDocumentResult{}, u.err
	}
	if u.sums == nil {
		u.sums = map[tokens.Hash][]byte{}
		for alg, h := range u.digests {
			u.sums[alg] = h.Sum(nil)
		}
	}
	return api.CloseDocumentResult{Size: u.size, SHA256: hex.EncodeToString(u.sums[tokens.SHA256])}, nil
}

// sum gives the digest of a closed upload, from its file if another than the announced one is wanted.
func (u *upload) sum(alg tokens.Hash) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.err != nil:
		return nil, u.err
	case u.sums == nil || u.gone:
		return nil, wrong("upload", "documents.close comes first")
	}
	if sum, ok := u.sums[alg]; ok {
		return sum, nil
	}
	if u.file == nil {
		return nil, refuse(api.DigestMismatch, "the upload was opened for another digest")
	}
	h := alg.New()
	if _, err := io.Copy(h, io.NewSectionReader(u.file, 0, u.size)); err != nil {
		return nil, storage("read the document again", err)
	}
	u.sums[alg] = h.Sum(nil)
	return u.sums[alg], nil
}

// content reads the spooled octets, nil when only digests were kept.
func (u *upload) content() io.Reader {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.gone:
		return nil
	case u.own != nil:
		return io.NewSectionReader(u.own, 0, u.size+1) // one more, to see that it has grown
	case u.file != nil:
		return io.NewSectionReader(u.file, 0, u.size)
	}
	return nil
}

// release forgets an upload.
func (s *spool) release(at parcel) {
	s.mu.Lock()
	u := s.uploads[at]
	delete(s.uploads, at)
	s.mu.Unlock()
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = true
	if u.file != nil {
		u.file.Close()
		s.give(u.size)
	}
}

// offer keeps a result until it is fetched on the same connection.
func (s *spool) offer(conn uint64, d *download) *api.Download {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == nil {
		s.ready = map[parcel]*download{}
	}
	s.last++
	s.ready[parcel{conn, s.last}] = d
	return &api.Download{Number: s.last, Size: d.size, SHA256: hex.EncodeToString(d.sum)}
}

// withdraw takes offers back, without closing what they hold.
func (s *spool) withdraw(conn uint64, numbers []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range numbers {
		delete(s.ready, parcel{conn, n})
	}
}

// drop forgets everything of a connection that is gone.
func (s *spool) drop(conn uint64) {
	s.mu.Lock()
	var mine []parcel
	var results []*download
	for at := range s.uploads {
		if at.conn == conn {
			mine = append(mine, at)
		}
	}
	for at, d := range s.ready {
		if at.conn == conn {
			results = append(results, d)
			delete(s.ready, at)
		}
	}
	s.mu.Unlock()
	for _, at := range mine {
		s.release(at)
	}
	for _, d := range results {
		s.discard(d)
	}
}

func (s *spool) discard(d *download) {
	if d.file != nil {
		d.file.Close()
		s.give(d.size)
	}
}
