package signature

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"strings"
)

// binary gives DER or BER out of what people keep: the octets themselves, PEM (the first block of one of the labels), or base64 alone. Streaming.
func binary(r io.Reader, labels ...string) (io.Reader, error) {
	in := bufio.NewReaderSize(r, buffer)
	first, err := in.Peek(1)
	if err != nil {
		return nil, truncated(err)
	}
	switch first[0] {
	case '-':
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, malformed("PEM")
		}
		label, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r\n \t"), "-----BEGIN ")
		label, ok2 := strings.CutSuffix(label, "-----")
		if !ok || !ok2 {
			return nil, malformed("PEM")
		}
		for _, l := range labels {
			if l == label {
				return base64.NewDecoder(base64.StdEncoding, &armour{in: in, pem: true}), nil
			}
		}
		return nil, malformed("PEM of another kind: " + cut(label, 40))
	case 'M': // base64 of 0x30 and a long length, as any SignedData begins
		return base64.NewDecoder(base64.StdEncoding, &armour{in: in}), nil
	}
	return in, nil
}

// armour passes base64 on and ends at the line that ends a PEM block.
type armour struct {
	in   *bufio.Reader
	pem  bool
	done bool
}

func (a *armour) Read(p []byte) (int, error) {
	if a.done {
		return 0, io.EOF
	}
	n, err := a.in.Read(p)
	if i := bytes.IndexByte(p[:n], '-'); i >= 0 && a.pem {
		a.done = true
		return i, io.EOF
	}
	return n, err
}

// cut shortens a text from a file for a message.
func cut(s string, n int) string {
	if r := []rune(strings.ToValidUTF8(s, "?")); len(r) > n {
		return string(r[:n])
	}
	return s
}

// cmsLabels are the PEM labels of CMS (RFC 7468 sections 8 and 9).
var cmsLabels = []string{"CMS", "PKCS7", "PKCS #7 SIGNED DATA"}
