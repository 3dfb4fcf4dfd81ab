package host

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
)

const (
	longestLine = 400      // octets of a line that are kept
	mostPrinted = 64 << 10 // octets of one child that are kept
)

// logPrinted writes what a child prints to the log, cut, and reads on to the end so that the child never waits.
func logPrinted(log *slog.Logger, printed io.Reader) {
	in := bufio.NewReaderSize(printed, longestLine)
	for total, cut := 0, false; ; {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && !cut && total < mostPrinted {
			if total += len(line); total >= mostPrinted {
				log.Warn("token-host prints too much, the rest is dropped")
			} else {
				log.Warn("token-host printed", "line", string(line))
			}
		}
		cut = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !cut {
			return
		}
	}
}
