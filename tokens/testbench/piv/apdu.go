package piv

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
)

// Instructions (SP 800-73-4 part 2, table 2; GET VERSION is YubiKey's).
const (
	Verify       byte = 0x20
	ChangePIN    byte = 0x24 // CHANGE REFERENCE DATA
	ResetPIN     byte = 0x2C // RESET RETRY COUNTER
	Sign         byte = 0x87 // GENERAL AUTHENTICATE
	selectObject byte = 0xA4
	getResponse  byte = 0xC0
	getData      byte = 0xCB
	getVersion   byte = 0xFD
)

// Status words (ISO 7816-4).
const (
	done            uint16 = 0x9000
	wrongPIN        uint16 = 0x63C0 // + tries left
	wrongLength     uint16 = 0x6700
	notVerified     uint16 = 0x6982
	blocked         uint16 = 0x6983
	wrongData       uint16 = 0x6A80
	notFound        uint16 = 0x6A82
	wrongParameters uint16 = 0x6A86
	noReference     uint16 = 0x6A88
	unknown         uint16 = 0x6D00
)

// The application of PIV, and what the key references of PIN and PUK are.
var application = []byte{0xA0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0}

const (
	pinReference byte = 0x80
	pukReference byte = 0x81
)

func word(w uint16) []byte { return binary.BigEndian.AppendUint16(nil, w) }

// tlv writes BER-TLV.
func tlv(tag, value []byte) []byte {
	out := slices.Clone(tag)
	switch n := len(value); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, value...)
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// members reads the values of a BER-TLV's members with tags of one octet; false when it is none.
func members(b []byte) (map[byte][]byte, bool) {
	list := map[byte][]byte{}
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, false
		}
		tag, n, head := b[0], int(b[1]), 2
		if n > 0x80 && len(b) >= 2+n&0x7F && n&0x7F <= 2 {
			head, n = 2+n&0x7F, 0
			for _, octet := range b[2:head] {
				n = n<<8 | int(octet)
			}
		}
		if len(b) < head+n {
			return nil, false
		}
		list[tag], b = b[head:head+n], b[head+n:]
	}
	return list, true
}

// reply gives an answer, the beginning of it when it is long.
func (c *Card) reply(answer []byte) []byte {
	const most = 256
	if len(answer) <= most {
		c.session.rest = nil
		return append(slices.Clone(answer), word(done)...)
	}
	c.session.rest = slices.Clone(answer[most:])
	left := byte(0) // 256 or more
	if len(c.session.rest) < most {
		left = byte(len(c.session.rest))
	}
	return append(slices.Clone(answer[:most]), 0x61, left)
}

// transmit takes a command APDU and gives the response.
func (c *Card) transmit(command []byte) []byte {
	if len(command) < 4 {
		return word(wrongLength)
	}
	class, instruction, p1, p2 := command[0], command[1], command[2], command[3]
	data, ok := body(command)
	if !ok {
		return word(wrongLength)
	}
	c.mu.Lock()
	before, after := c.before, c.after
	c.mu.Unlock()
	if before != nil {
		before(instruction, data)
	}
	chained := class&0x10 != 0
	answer := c.execute(chained, instruction, p1, p2, data)
	if after != nil && !chained {
		after(instruction)
	}
	return answer
}

func (c *Card) execute(chained bool, instruction, p1, p2 byte, data []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session.chain = append(c.session.chain, data...)
	if chained {
		return word(done)
	}
	data, c.session.chain = c.session.chain, nil
	if instruction != Verify || len(data) > 0 {
		c.counts[instruction]++
	}
	switch instruction {
	case selectObject:
		if p1 == 4 && len(data) >= 5 && bytes.HasPrefix(application, data[:min(len(data), 9)]) {
			authority := tlv([]byte{0x79}, tlv([]byte{0x4F}, application[:5]))
			return c.reply(tlv([]byte{0x61}, join(tlv([]byte{0x4F}, application[5:]), authority)))
		}
		return word(notFound)
	case getData:
		asked, ok := members(data)
		if object := c.objects[hex.EncodeToString(asked[0x5C])]; ok && object != nil {
			return c.reply(object)
		}
		return word(notFound)
	case getResponse:
		return c.reply(c.session.rest)
	case getVersion:
		return c.reply([]byte{5, 4, 3})
	case Verify:
		return word(c.verify(p1, p2, data))
	case ChangePIN:
		return word(c.change(p2, data))
	case ResetPIN:
		return word(c.reset(p2, data))
	case Sign:
		return c.sign(p1, p2, data)
	}
	return word(unknown)
}

// body gives the data of a command, short or extended.
func body(command []byte) ([]byte, bool) {
	if len(command) <= 5 {
		return nil, true
	}
	start, n := 5, int(command[4])
	if n == 0 && len(command) > 7 {
		start, n = 7, int(command[5])<<8|int(command[6])
	}
	if len(command) < start+n {
		return nil, false
	}
	return command[start : start+n], true
}

// try puts a padded value to a secret.
func (s *secret) try(padded []byte) uint16 {
	switch {
	case s.left == 0:
		return blocked
	case string(bytes.TrimRight(padded, "\xff")) == s.value:
		s.left = tries
		return done
	}
	if s.left--; s.left == 0 {
		return blocked
	}
	return wrongPIN | uint16(s.left)
}

func (c *Card) verify(p1, reference byte, data []byte) uint16 {
	switch {
	case reference != pinReference:
		return noReference
	case p1 == 0xFF:
		c.session.verified, c.session.fresh = false, false
		return done
	case len(data) == 0 && c.session.verified:
		return done
	case len(data) == 0 && c.pin.left == 0:
		return blocked
	case len(data) == 0:
		return wrongPIN | uint16(c.pin.left)
	case len(data) != 8:
		return wrongData
	}
	result := c.pin.try(data)
	c.session.verified = result == done
	c.session.fresh = result == done
	return result
}

// acceptable says whether a padded value can be a PIN.
func acceptable(padded []byte) bool {
	pin := bytes.TrimRight(padded, "\xff")
	return len(pin) >= 6 && len(pin) <= 8 && !slices.ContainsFunc(pin, func(b byte) bool { return b < '0' || b > '9' })
}

// change is CHANGE REFERENCE DATA (part 2, section 3.2.2): the old value and the new one, 8 octets each.
func (c *Card) change(reference byte, data []byte) uint16 {
	s := map[byte]*secret{pinReference: &c.pin, pukReference: &c.puk}[reference]
	switch {
	case s == nil:
		return noReference
	case len(data) != 16 || reference == pinReference && !acceptable(data[8:]):
		return wrongData
	}
	result := s.try(data[:8])
	if result == done {
		s.value = string(bytes.TrimRight(data[8:], "\xff"))
	}
	return result
}

// reset is RESET RETRY COUNTER (part 2, section 3.2.3): the PUK and a new PIN.
func (c *Card) reset(reference byte, data []byte) uint16 {
	switch {
	case reference != pinReference:
		return noReference
	case len(data) != 16 || !acceptable(data[8:]):
		return wrongData
	}
	result := c.puk.try(data[:8])
	if result == done {
		c.pin = secret{string(bytes.TrimRight(data[8:], "\xff")), tries}
	}
	return result
}

// sign is GENERAL AUTHENTICATE (part 2, section 3.2.4): a padded block for RSA, a digest for ECDSA.
func (c *Card) sign(algorithm, slot byte, data []byte) []byte {
	key, there := c.keys[slot]
	outer, ok := members(data)
	inner, also := members(outer[0x7C])
	input := inner[0x81]
	switch {
	case !there:
		return word(noReference)
	case !ok || !also || len(input) == 0:
		return word(wrongData)
	case !c.session.verified || slot == Signature && !c.session.fresh:
		return word(notVerified)
	}
	if slot == Signature {
		c.session.fresh = false
	}
	var signature []byte
	switch private := key.Private.(type) {
	case *rsa.PrivateKey:
		if algorithm != 0x07 || len(input) != 256 {
			return word(wrongParameters)
		}
		signature = new(big.Int).Exp(new(big.Int).SetBytes(input), private.D, private.N).FillBytes(make([]byte, 256))
	case *ecdsa.PrivateKey:
		if algorithm != 0x11 {
			return word(wrongParameters)
		}
		var err error
		signature, err = private.Sign(rand.Reader, input, crypto.Hash(0))
		check(err)
	}
	return c.reply(tlv([]byte{0x7C}, tlv([]byte{0x82}, signature)))
}
