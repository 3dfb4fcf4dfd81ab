// Package journal is the person's record of what Pero did: enrolments, step by step, and every decision.
//
// It is a folder (0700) with files (0600) of one JSON object per line. Each record names the sum of the one before and carries
// its own, so a change, a gap or a lost middle shows in Check; a cut end does not (the file is the person's own: evident to a later
// reader, not proof against its owner). A record is on the disk when the call that wrote it returns. Several processes may
// append. A file that passes Segment octets is closed and kept; the next begins with the enrolments that may still matter, so
// reading the last file alone is enough to go on. Nothing here is ever deleted.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Sizes, octets.
const (
	Segment  = 1 << 20  // a file is closed when it has grown beyond
	Headroom = 64 << 10 // what Reserve keeps free at least
	carryFor = 90 * 24 * time.Hour
)

// Errors.
var (
	ErrNoSpace  = errors.New("no space left for the journal")
	ErrConflict = errors.New("the enrolment was changed meanwhile")
	ErrNotFound = errors.New("no such enrolment")
)

// Journal is an open journal. It may be used from several goroutines.
type Journal struct {
	dir  string
	lock *flock.Flock

	mu          sync.Mutex
	file        *os.File
	number      int   // of the open file
	end         int64 // of the last whole line that was read
	line        int   // lines read of this file
	seq         uint64
	sum         string
	enrollments map[string]Enrollment
	problems    []Problem
}

// Problem is a place where the journal is not what was written.
type Problem struct {
	File string
	Line int // from 1
	What string
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What) }

// Open opens the journal in a folder, which is made when it is not there. A half-written last line (the machine or the process died
// in the middle) is cut off and a record says so; whatever else is broken is left for Check.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, lock: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600)), enrollments: map[string]Enrollment{}}
	return j, j.locked(func() error { return nil })
}

// Close closes the files.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if j.file != nil {
		err = j.file.Close()
		j.file = nil
	}
	return errors.Join(err, j.lock.Close())
}

// Reserve makes sure that records of so many octets can be written even if the disk fills up meanwhile, or says ErrNoSpace. To be called
// before a carrier is touched.
func (j *Journal) Reserve(octets int) error {
	return j.locked(func() error {
		if j.end > Segment {
			if err := j.rotate(); err != nil {
				return err
			}
		}
		if err := allocate(j.file, j.end, int64(max(octets, Headroom))); err != nil {
			return fmt.Errorf("reserve journal: %w", space(err))
		}
		return nil
	})
}

// Decide writes a decision.
func (j *Journal) Decide(d Decision) error {
	return j.locked(func() error { return j.append(&Record{Kind: KindDecision, Decision: &d}) })
}

// Advance writes an enrolment as it stands now. ErrConflict when it is not the one that was read: somebody else went on with it.
func (j *Journal) Advance(e Enrollment) (Enrollment, error) {
	err := j.locked(func() error {
		e.Revision++
		if j.enrollments[e.ID].Revision+1 != e.Revision {
			return fmt.Errorf("enrolment %s: %w", e.ID, ErrConflict)
		}
		e.Changed = time.Now().UTC()
		return j.append(&Record{Kind: KindEnrollment, Enrollment: &e})
	})
	if err != nil {
		e.Revision--
	}
	return e, err
}

// Enrollments gives every enrolment that is open or was changed in the last 90 days, oldest first.
func (j *Journal) Enrollments() ([]Enrollment, error) {
	var list []Enrollment
	err := j.locked(func() error {
		for _, e := range j.enrollments {
			list = append(list, e)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Enrollment) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return bytes.Compare([]byte(a.ID), []byte(b.ID))
	})
	return list, err
}

// Enrollment gives one enrolment, or ErrNotFound.
func (j *Journal) Enrollment(id string) (Enrollment, error) {
	var e Enrollment
	err := j.locked(func() error {
		var ok bool
		if e, ok = j.enrollments[id]; !ok {
			return fmt.Errorf("enrolment %s: %w", id, ErrNotFound)
		}
		return nil
	})
	return e, err
}

// locked runs f as the only process that uses the journal, with everything read that others wrote.
func (j *Journal) locked(f func() error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.lock.Lock(); err != nil {
		return fmt.Errorf("lock journal: %w", err)
	}
	defer j.lock.Unlock()
	if err := j.follow(); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	return f()
}

// follow opens the last file and reads what is new in it.
func (j *Journal) follow() error {
	files, err := segments(j.dir)
	if err != nil {
		return err
	}
	last := 1
	if len(files) > 0 {
		last = files[len(files)-1]
	}
	if j.file == nil || j.number != last {
		if err := j.open(last); err != nil {
			return err
		}
	}
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == j.end {
		return nil
	}
	s := newScanner(io.NewSectionReader(j.file, j.end, info.Size()-j.end))
	s.name, s.line, s.seq, s.sum, s.middle = segmentName(j.number), j.line, j.seq, j.sum, j.seq > 0
	for s.next() {
		if s.record != nil {
			j.fold(s.record)
		}
	}
	j.end += s.whole
	j.line, j.seq, j.sum = s.line, s.seq, s.sum
	j.problems = append(j.problems, s.problems...)
	if s.err != nil {
		return s.err
	}
	if cut := info.Size() - j.end; cut > 0 {
		// Written over the torn line and only then cut: this works on a full disk too.
		if err := j.write(&Record{Kind: KindRepaired, Cut: cut}); err != nil {
			return err
		}
		return j.file.Truncate(j.end)
	}
	return nil
}

func (j *Journal) open(number int) error {
	path := filepath.Join(j.dir, segmentName(number))
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), syncFolder(j.dir)); err != nil {
		f.Close()
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.number, j.end, j.line = f, number, 0, 0
	return nil
}

func (j *Journal) fold(r *Record) {
	if r.Enrollment != nil {
		j.enrollments[r.Enrollment.ID] = *r.Enrollment
	}
}

func (j *Journal) append(r *Record) error {
	// Reserve begins a new file where it can refuse; here only for those who never call it.
	if j.end > Segment+4*Headroom {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	return j.write(r)
}

func (j *Journal) write(r *Record) error {
	r.Seq, r.Previous = j.seq+1, j.sum
	r.Time = time.Now().UTC()
	line, err := encode(r)
	if err != nil {
		return err
	}
	if _, err = j.file.WriteAt(line, j.end); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// Whatever got there is not a record: the next reader must not see half of it as one.
		j.file.Truncate(j.end)
		return fmt.Errorf("write journal: %w", space(err))
	}
	j.end += int64(len(line))
	j.line, j.seq, j.sum = j.line+1, r.Seq, r.Sum
	j.fold(r)
	return nil
}

// rotate begins the next file with the enrolments that may still be asked for. It is written under another name first: a file of
// the journal's own name always begins with all of them.
func (j *Journal) rotate() error {
	oldest := time.Now().Add(-carryFor)
	var carried []Enrollment
	for id, e := range j.enrollments {
		if e.State.Ended() && e.Changed.Before(oldest) {
			delete(j.enrollments, id)
			continue
		}
		carried = append(carried, e)
	}
	slices.SortFunc(carried, func(a, b Enrollment) int { return a.Created.Compare(b.Created) })
	var content []byte
	seq, sum := j.seq, j.sum
	for i := -1; i < len(carried); i++ {
		r := &Record{Seq: seq + 1, Previous: sum, Time: time.Now().UTC(), Kind: KindContinued}
		if i >= 0 {
			r.Kind, r.Enrollment = KindEnrollment, &carried[i]
		}
		line, err := encode(r)
		if err != nil {
			return err
		}
		content = append(content, line...)
		seq, sum = r.Seq, r.Sum
	}
	draft := filepath.Join(j.dir, "draft")
	if err := writeFile(draft, content); err != nil {
		return fmt.Errorf("begin journal file: %w", space(err))
	}
	if err := os.Rename(draft, filepath.Join(j.dir, segmentName(j.number+1))); err != nil {
		return fmt.Errorf("begin journal file: %w", err)
	}
	if err := j.open(j.number + 1); err != nil {
		return fmt.Errorf("begin journal file: %w", err)
	}
	j.end, j.line, j.seq, j.sum = int64(len(content)), len(carried)+1, seq, sum
	return nil
}
