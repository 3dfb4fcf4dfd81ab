package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// watch calls changed after each change to a key store, by inotify. While there is no folder it looks for one.
func (d folder) watch(ctx context.Context, changed func()) {
	missing := false
	for {
		if events, err := d.inotify(); err == nil {
			if missing {
				changed()
			}
			stop := context.AfterFunc(ctx, func() { _ = events.Close() })
			follow(events, changed)
			stop()
			_ = events.Close()
			if ctx.Err() == nil {
				changed() // the folder went away
			}
		}
		missing = true
		if !sleep(ctx) {
			return
		}
	}
}

func (d folder) inotify() (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	const mask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ATTRIB |
		unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, d.path, mask); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// follow reads inotify(7) records until the folder or the descriptor is gone.
func follow(events *os.File, changed func()) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := events.Read(buffer)
		if err != nil {
			return
		}
		told, gone := false, false
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			mask := binary.NativeEndian.Uint32(rest[4:])
			length := int(binary.NativeEndian.Uint32(rest[12:]))
			rest = rest[unix.SizeofInotifyEvent:]
			if length > len(rest) {
				break
			}
			name := string(bytes.TrimRight(rest[:length], "\x00"))
			rest = rest[length:]
			told = told || isKeyStore(name) || name == "" || mask&unix.IN_Q_OVERFLOW != 0
			gone = gone || mask&(unix.IN_IGNORED|unix.IN_MOVE_SELF|unix.IN_UNMOUNT) != 0
		}
		if gone {
			return
		}
		if told {
			changed()
		}
	}
}
