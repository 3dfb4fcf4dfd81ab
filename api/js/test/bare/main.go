// Command bare serves the yardstick of bench.mjs: a WebSocket that does nothing but take frames (and give back small ones), with no
// check of anything. Yardsticks only: it trusts whoever connects.
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	http.Serve(l, http.HandlerFunc(accept))
}

func accept(w http.ResponseWriter, r *http.Request) {
	c, b, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 section 1.3
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	_ = serve(c, b.Reader)
}

// serve answers each message that ends a frame of text with the same octets, and each binary one with one octet.
func serve(c net.Conn, r *bufio.Reader) error {
	buffer := make([]byte, 1<<20)
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			return err
		}
		size, length := int(head[1]&0x7f), 0
		if size == 126 {
			length = 2
		} else if size == 127 {
			length = 8
		}
		long := make([]byte, length+4)
		if _, err := io.ReadFull(r, long); err != nil {
			return err
		}
		switch length {
		case 2:
			size = int(binary.BigEndian.Uint16(long))
		case 8:
			size = int(binary.BigEndian.Uint64(long))
		}
		mask := long[length:]
		if head[0]&0x0f != 1 {
			for size > 0 {
				n, err := r.Read(buffer[:min(size, len(buffer))])
				if err != nil {
					return err
				}
				size -= n
			}
			if head[0]&0x80 != 0 {
				if _, err := c.Write([]byte{0x82, 1, 0}); err != nil {
					return err
				}
			}
			continue
		}
		text := buffer[:size]
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		for i := range text {
			text[i] ^= mask[i%4]
		}
		if _, err := c.Write(append([]byte{0x81, 126, byte(size >> 8), byte(size)}, text...)); err != nil {
			return err
		}
	}
}
