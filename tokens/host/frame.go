package host

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A frame on the pipe: length of the rest (4 octets, big-endian), number of the request (4 octets), kind (1 octet), body.
const (
	maxFrame    = 4 << 20
	frameHeader = 9
)

// kind is what a frame is. The parent asks; the child answers with a frame of the same number.
type kind uint8

const (
	kindHello kind = iota + 1 // the first frame: Options; no answer
	kindPing
	kindCancel // the request of this number is no longer wanted; no answer of its own
	kindTokens
	kindObjects
	kindWatch
	kindOpen
	kindSign
	kindGenerate
	kindInstall
	kindDelete
	kindKeys
	kindClose
	kindBackup
	kindRestore
	kindExpect  // an act on this token is likely to come: load the module and the words
	kindRefresh // another process wrote to the tokens: forget what was read of them
	kindManage  // one act of tokens.Manager: the one that the prompt names
	kindDeleteCertificate
)

// acts says whether such a request has the token sign or change at once; others have, when they put a PIN to it (kindLogin).
func (k kind) acts() bool {
	switch k {
	case kindSign, kindGenerate, kindInstall, kindDelete, kindDeleteCertificate:
		return true
	}
	return false
}

const (
	kindDone    kind = iota + 64 // the result, in the shape of the request
	kindFailed                   // an error: code, text
	kindEvent                    // of a watch: list the tokens again
	kindWaiting                  // a person is being waited for (1) or no longer (0): the module's deadline stands still meanwhile, or begins anew
	kindLogin                    // the PIN goes to the token now: what comes of it is not known before the answer
)

var errFrame = errors.New("frame not in the agreed shape")

// frameWriter writes frames of several goroutines. Frames that come while one is being written go out together in the next write.
type frameWriter struct {
	out io.Writer

	mu      sync.Mutex
	waiting []byte
	spare   []byte
	writing bool
	idle    *sync.Cond // nil: nobody waits for the end of the writing
	err     error
}

func (w *frameWriter) write(number uint32, k kind, body []byte) error {
	if len(body) > maxFrame-frameHeader {
		return fmt.Errorf("frame of %d octets: %w", len(body), errFrame)
	}
	w.mu.Lock()
	if w.err != nil {
		defer w.mu.Unlock()
		return w.err
	}
	w.waiting = binary.BigEndian.AppendUint32(w.waiting, uint32(5+len(body)))
	w.waiting = binary.BigEndian.AppendUint32(w.waiting, number)
	w.waiting = append(w.waiting, byte(k))
	w.waiting = append(w.waiting, body...)
	if w.writing {
		w.mu.Unlock()
		return nil
	}
	w.writing = true
	for len(w.waiting) > 0 && w.err == nil {
		batch := w.waiting
		w.waiting = w.spare[:0]
		w.mu.Unlock()
		_, err := w.out.Write(batch)
		w.mu.Lock()
		w.err = err
		if w.spare = batch; cap(batch) > 64<<10 {
			w.spare = nil
		}
	}
	w.writing = false
	if w.idle != nil {
		w.idle.Broadcast()
	}
	defer w.mu.Unlock()
	return w.err
}

// flush returns when what write took is written, by whomever.
func (w *frameWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle == nil {
		w.idle = sync.NewCond(&w.mu)
	}
	for w.writing {
		w.idle.Wait()
	}
}

// readFrame reads one frame into a slice of its own.
func readFrame(in *bufio.Reader) (number uint32, k kind, body []byte, err error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 5 || length > maxFrame-4 {
		return 0, 0, nil, fmt.Errorf("frame of %d octets: %w", length, errFrame)
	}
	body = make([]byte, length-5)
	if _, err := io.ReadFull(in, body); err != nil {
		return 0, 0, nil, err
	}
	return binary.BigEndian.Uint32(head[4:]), kind(head[8]), body, nil
}
