package piv

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// answerToReset is a YubiKey's: OpenSC offers ECDSA to PIV cards that it knows.
var answerToReset = []byte{
	0x3B, 0xFD, 0x13, 0, 0, 0x81, 0x31, 0xFE, 0x15, 0x80, 0x73, 0xC0, 0x21, 0xC0, 0x57, 0x59, 0x75, 0x62, 0x69, 0x4B, 0x65, 0x79, 0x40,
}

// Inserted is a card in a reader.
type Inserted struct {
	conn net.Conn
	gone sync.WaitGroup
}

// Insert puts a card into the virtual reader that listens at address. vpcd speaks frames of two octets of length, big-endian, and a body: a
// control octet (power off 0, on 1, reset 2, answer to reset 4) or an APDU.
func Insert(address string, c *Card) (*Inserted, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.session = session{}
	c.mu.Unlock()
	i := &Inserted{conn: conn}
	i.gone.Go(func() { c.serve(conn) })
	return i, nil
}

// Remove pulls the card out, in the midst of whatever it does.
func (i *Inserted) Remove() { i.conn.Close() }

// Wait returns when the card is out and answers nothing any more, also when the reader let go of it.
func (i *Inserted) Wait() { i.gone.Wait() }

func (c *Card) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		var answer []byte
		switch {
		case len(frame) == 1 && frame[0] == 4:
			answer = answerToReset
		case len(frame) == 1:
			c.mu.Lock()
			c.session = session{}
			c.mu.Unlock()
			continue
		default:
			answer = c.transmit(frame)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}
