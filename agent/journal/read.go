package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Records calls f with every record of every file, oldest first, until f returns an error. A line that is not a record is passed over
// here and named by Check.
func (j *Journal) Records(f func(Record) error) error {
	return j.locked(func() error {
		_, err := j.walk(f)
		return err
	})
}

// Check reads every file and names each place where a line is broken, missing, moved or changed.
func (j *Journal) Check() ([]Problem, error) {
	var problems []Problem
	err := j.locked(func() error {
		var err error
		problems, err = j.walk(func(Record) error { return nil })
		return err
	})
	return problems, err
}

func (j *Journal) walk(f func(Record) error) ([]Problem, error) {
	files, err := segments(j.dir)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	last := &scanner{middle: true}
	for i, number := range files {
		file, err := os.Open(filepath.Join(j.dir, segmentName(number)))
		if err != nil {
			return problems, err
		}
		if number != i+1 {
			problems = append(problems, Problem{File: segmentName(number), What: "the file before it is missing"})
		}
		s := newScanner(file)
		s.name, s.seq, s.sum, s.middle = segmentName(number), last.seq, last.sum, true
		for s.next() {
			if s.record == nil {
				continue
			}
			if err = f(*s.record); err != nil {
				break
			}
		}
		file.Close()
		problems = append(problems, s.problems...)
		if err = errors.Join(err, s.err); err != nil {
			return problems, err
		}
		if s.torn > 0 {
			problems = append(problems, Problem{s.name, s.line + 1, "the line has no end"})
		}
		last = s
	}
	return problems, nil
}

// scanner reads the lines of one file.
type scanner struct {
	r      *bufio.Reader
	name   string
	middle bool // seq and sum are those of the record before
	seq    uint64
	sum    string

	line     int     // of record, from 1
	whole    int64   // octets of the lines that have an end
	torn     int64   // octets after the last of them
	record   *Record // nil when the line is broken
	problems []Problem
	err      error
}

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, 64<<10)} }

func (s *scanner) next() bool {
	line, size, err := readLine(s.r)
	switch {
	case err == io.EOF:
		s.torn = size
		return false
	case err != nil:
		s.err = err
		return false
	}
	s.line++
	s.whole += size
	s.record, err = decode(line)
	if err != nil {
		s.report(err.Error())
		s.record = nil
		return true
	}
	r := s.record
	if s.middle && (r.Seq != s.seq+1 || r.Previous != s.sum) {
		s.report(fmt.Sprintf("record %d does not follow record %d", r.Seq, s.seq))
	}
	s.middle, s.seq, s.sum = true, r.Seq, r.Sum
	return true
}

// maxProblems of one file are told: a file full of something else is not worth a memory full of them.
const maxProblems = 1000

func (s *scanner) report(what string) {
	switch {
	case len(s.problems) == maxProblems:
		what = "this line and perhaps others after it are broken too"
	case len(s.problems) > maxProblems:
		return
	}
	s.problems = append(s.problems, Problem{s.name, s.line, what})
}

// readLine gives a line without its newline, cut at MaxLine, and its whole size. io.EOF when no newline follows.
func readLine(r *bufio.Reader) (line []byte, size int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		size += int64(len(part))
		if room := MaxLine - len(line); room > 0 {
			line = append(line, part[:min(room, len(part))]...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		return bytes.TrimSuffix(line, []byte("\n")), size, err
	}
}

func segmentName(number int) string { return fmt.Sprintf("journal-%06d.jsonl", number) }

// segments lists the numbers of the files, in order.
func segments(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		digits, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".jsonl"), "journal-")
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && e.Name() == segmentName(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
