package pkcs12

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// toDER rewrites BER as DER where programs differ: NSS and old Windows write lengths of the indefinite form and octet strings in
// pieces (X.690 sections 8.1.3.6 and 8.7.3). What is DER already
// comes back as it is. The [0] of an encryptedContent in pieces stays constructed: only its reader can tell it from an explicit tag.
func toDER(in []byte) ([]byte, error) {
	element, rest, err := readBER(in, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d octets after the end", ErrDamaged, len(rest))
	}
	return element, nil
}

func readBER(in []byte, depth int) (element, rest []byte, err error) {
	bad := fmt.Errorf("%w: BER", ErrDamaged)
	if depth > maxDepth*2 || len(in) < 2 || in[0]&0x1f == 0x1f {
		return nil, nil, bad
	}
	tag, length := in[0], int(in[1])
	body := in[2:]
	indefinite := length == 0x80
	if length > 0x80 {
		n := length & 0x7f
		if n > 4 || n > len(body) {
			return nil, nil, bad
		}
		length = 0
		for _, octet := range body[:n] {
			length = length<<8 | int(octet)
		}
		body = body[n:]
	}
	if !indefinite {
		if length > len(body) {
			return nil, nil, bad
		}
		body, rest = body[:length], body[length:]
	}
	if tag&0x20 == 0 {
		if indefinite {
			return nil, nil, bad
		}
		return encode(tag, body), rest, nil
	}

	var content, joined []byte
	pieces := tag == 0x24 // an octet string in pieces
	for {
		if indefinite && len(body) >= 2 && body[0] == 0 && body[1] == 0 {
			rest = body[2:]
			break
		}
		if !indefinite && len(body) == 0 {
			break
		}
		var child []byte
		if child, body, err = readBER(body, depth+1); err != nil {
			return nil, nil, err
		}
		content = append(content, child...)
		if pieces = pieces && child[0] == 0x04; pieces {
			joined = append(joined, octets(child)...)
		}
	}
	if pieces {
		return encode(0x04, joined), rest, nil
	}
	return encode(tag, content), rest, nil
}

// octets gives the contents of a DER element.
func octets(element []byte) []byte {
	s := cryptobyte.String(element)
	var out cryptobyte.String
	s.ReadAnyASN1(&out, nil)
	return out
}

func encode(tag byte, body []byte) []byte {
	out := []byte{tag}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default: // maxSize is below 16 MiB
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, body...)
}
