//go:build linux

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"
)

// needle is a text in one of the ways to write it.
type needle struct {
	name   string
	octets []byte
}

// plain gives texts as programs hold them: UTF-8, and UTF-16 as Windows' interfaces and Java have it.
func plain(texts ...string) (list []needle) {
	for _, text := range texts {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			wide = binary.LittleEndian.AppendUint16(wide, unit)
		}
		list = append(list, needle{text, []byte(text)}, needle{text + " in UTF-16", wide})
	}
	return list
}

// encoded adds the ways in which octets are put into files and frames.
func encoded(texts ...string) []needle {
	list := plain(texts...)
	for _, text := range texts {
		digits := hex.EncodeToString([]byte(text))
		list = append(list, needle{text + " in hex", []byte(digits)}, needle{text + " in hex", []byte(strings.ToUpper(digits))})
		for before := range 3 { // what stands before it tells how the octets share out on letters
			letters := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), text...))
			whole := letters[(before*8+5)/6 : (before+len(text))*8/6]
			list = append(list, needle{text + " in base64", []byte(whole)})
		}
	}
	return list
}

// find tells which needles are in b.
func find(b []byte, needles []needle) (found []string) {
	for _, n := range needles {
		if bytes.Contains(b, n.octets) {
			found = append(found, n.name)
		}
	}
	return found
}

const (
	page4K  = 4 << 10
	portion = 4 << 20 // of memory at a time
	overlap = 256     // more than the longest needle
)

// inMemory looks for needles in all that a process can read of its own memory (proc(5), /proc/pid/mem). It fails with fs.ErrNotExist or ErrProcessDone
// when the process is gone.
func inMemory(pid int, needles []needle) (found []string, err error) {
	folder := "/proc/" + strconv.Itoa(pid)
	maps, err := os.ReadFile(folder + "/maps")
	if err != nil {
		return nil, err
	}
	mem, err := os.Open(folder + "/mem")
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	buffer := make([]byte, overlap+portion)
	read := 0
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); err != nil || rights[0] != 'r' {
			continue // vsyscall lies beyond what int64 holds
		}
		kept := 0 // octets of the portion before
		for at := from; at < to; {
			n, err := mem.ReadAt(buffer[kept:kept+int(min(portion, to-at))], at)
			for _, name := range find(buffer[:kept+n], needles) {
				found = append(found, fmt.Sprintf("%s at %#x of %s", name, at, strings.TrimSpace(line)))
			}
			read += n
			at += int64(n)
			if err != nil { // a page that only the kernel reads, or no process any more
				at = (at/page4K + 1) * page4K
				kept = 0
				continue
			}
			kept = copy(buffer, buffer[max(0, kept+n-overlap):kept+n])
		}
	}
	if read == 0 {
		return nil, os.ErrProcessDone
	}
	return found, nil
}

// gone tells whether a process ended before it could be looked at.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrProcessDone) }

// inFiles looks for needles in the files below a folder and in their names.
func inFiles(folder string, needles []needle) (found []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was a temporary one
		}
		if err != nil {
			return err
		}
		for _, name := range find([]byte(path), needles) {
			found = append(found, name+" in the name "+path)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		octets, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, name := range find(octets, needles) {
			found = append(found, name+" in "+path)
		}
		return nil
	})
	return found, err
}

// process is one that runs.
type process struct {
	pid     int
	program string
}

// below lists the processes that descend from one.
func below(root int) (list []process) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (name, which may hold anything) state parent ...
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil && fields[0] != "Z" {
			children[parent] = append(children[parent], pid)
		}
	}
	for next := children[root]; len(next) > 0; next = next[1:] {
		program, _ := os.Readlink("/proc/" + strconv.Itoa(next[0]) + "/exe")
		list = append(list, process{next[0], program})
		next = append(next, children[next[0]]...)
	}
	return list
}
