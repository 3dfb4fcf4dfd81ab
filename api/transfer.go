package api

import (
	"context"
	"encoding/binary"
	"io"
)

// Documents on their way through Serve, in binary frames.

const (
	maxUploads = 64        // of one connection, being written
	fetchChunk = 256 << 10 // octets of a download in one binary frame
)

// upload is a document that the page is sending. Its frames are taken one after the other by the goroutine that reads.
type upload struct {
	received int64
	failed   error
}

func (s *session) openDocument(ctx context.Context, p OpenDocumentParams) (OpenDocumentResult, error) {
	s.mu.Lock()
	full := len(s.uploads) >= maxUploads
	s.mu.Unlock()
	if full {
		return OpenDocumentResult{}, &Error{Reason: Busy}
	}
	r, err := s.agent.OpenDocument(ctx, s.caller, p)
	if err == nil {
		s.mu.Lock()
		s.uploads[r.Upload] = &upload{}
		s.mu.Unlock()
	}
	return r, err
}

// receive takes a binary frame: the upload's number in four octets, big-endian, then content. While it is being written nothing more is
// read from the connection: that is the flow control.
func (s *session) receive(frame []byte) {
	var number uint32
	var u *upload
	var lost bool
	if len(frame) >= 4 {
		number = binary.BigEndian.Uint32(frame)
		s.mu.Lock()
		u = s.uploads[number]
		lost = u != nil && u.failed != nil
		s.mu.Unlock()
	}
	if u == nil {
		if s.options.Allow == nil || s.options.Allow() { // beyond the rate it gets no answer, and is counted
			s.fail("", &Error{Reason: BadRequest, Member: "upload"})
		}
		return
	}
	if lost { // on its way when it failed
		return
	}
	err := s.agent.WriteDocument(s.ctx, s.caller, number, frame[4:])
	s.mu.Lock()
	defer s.mu.Unlock()
	u.received += int64(len(frame) - 4)
	u.failed = err
}

func (s *session) syncDocument(_ context.Context, p SyncDocumentParams) (SyncDocumentResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[p.Upload]
	if u == nil {
		return SyncDocumentResult{}, &Error{Reason: BadRequest, Member: "upload"}
	}
	return SyncDocumentResult{u.received}, u.failed
}

func (s *session) closeDocument(ctx context.Context, p CloseDocumentParams) (CloseDocumentResult, error) {
	s.mu.Lock()
	u := s.uploads[p.Upload]
	delete(s.uploads, p.Upload)
	s.mu.Unlock()
	if u == nil {
		return CloseDocumentResult{}, &Error{Reason: BadRequest, Member: "upload"}
	}
	r, err := s.agent.CloseDocument(ctx, s.caller, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.failed != nil {
		return CloseDocumentResult{}, u.failed
	}
	return r, err
}

func (s *session) fetchDocument(ctx context.Context, p FetchDocumentParams) (none, error) {
	w := &frameWriter{ctx: ctx, session: s, frame: binary.BigEndian.AppendUint32(make([]byte, 0, 4+fetchChunk), p.Download)}
	if err := s.agent.FetchDocument(ctx, s.caller, p, w); err != nil {
		return none{}, err
	}
	return none{}, w.flush()
}

// frameWriter cuts a download into binary frames.
type frameWriter struct {
	ctx     context.Context
	session *session
	frame   []byte
}

var _ io.Writer = (*frameWriter)(nil)

func (w *frameWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := min(len(p), cap(w.frame)-len(w.frame))
		w.frame = append(w.frame, p[:part]...)
		p = p[part:]
		if len(w.frame) == cap(w.frame) {
			if err := w.flush(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, nil
}

func (w *frameWriter) flush() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if len(w.frame) == 4 {
		return nil
	}
	err := w.session.write(Binary, w.frame)
	w.frame = w.frame[:4]
	if err != nil {
		w.session.end(err)
	}
	return err
}
