// Package piv is a PIV card (NIST SP 800-73-4) in software, for tests: a card that counts wrong PINs, locks, is unblocked by its PUK, wants the PIN
// before each signature of its signing key, and can be pulled out at any moment. Insert puts it into a virtual reader of vsmartcard's vpcd, where
// pcscd finds it; everything above that, OpenSC and Pero, is what people have.
package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"
)

// Secrets and their counters as a new card has them.
const (
	PIN   = "123456"   // 6 to 8 digits (SP 800-73-4 part 2, section 2.4.3)
	PUK   = "87654321" // 8 octets
	tries = 3
)

// Slots of keys (SP 800-73-4 part 1, table 4b), as key references.
const (
	Authentication byte = 0x9A
	Signature      byte = 0x9C // wants the PIN before each signature
	Management     byte = 0x9D
	retired        byte = 0x82 // the first of twenty
)

// Key is what a card has in a slot.
type Key struct {
	Slot        byte
	Private     crypto.Signer
	Certificate []byte
}

// Card is one card. Safe for use from several goroutines.
type Card struct {
	mu      sync.Mutex
	pin     secret
	puk     secret
	session session
	keys    map[byte]Key
	objects map[string][]byte // data objects by the hex of their tag
	counts  map[byte]int      // of instructions
	before  func(instruction byte, data []byte)
	after   func(instruction byte)
}

// secret is a PIN or PUK with its counter of tries.
type secret struct {
	value string
	left  int
}

// session is what a card forgets when it loses its power.
type session struct {
	verified bool // the PIN was given
	fresh    bool // and nothing was signed with it by the signing key since
	chain    []byte
	rest     []byte // of an answer longer than one reply
}

// New makes a card with an RSA-2048 key to authenticate and a P-256 key to sign, each with a certificate whose holder is name. OpenSC calls the
// token by the name in the first certificate.
func New(name string) *Card {
	c := blank()
	first, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	second, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	c.put(Authentication, first, name)
	c.put(Signature, second, name)
	return c
}

// WithCertificates makes a card with n P-256 keys, 1 to 24, and a certificate for each: one that authenticates, one that signs, one of management and
// the retired ones.
func WithCertificates(name string, n int) *Card {
	c := blank()
	slots := []byte{Authentication, Signature, Management, 0x9E}
	for i := range byte(20) {
		slots = append(slots, retired+i)
	}
	for i, slot := range slots[:n] {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(err)
		c.put(slot, key, fmt.Sprintf("%s %d", name, i+1))
	}
	if n > 4 { // key history object, part 1, section 3.3.3
		c.objects["5fc10c"] = tlv([]byte{0x53}, join(tlv([]byte{0xC1}, []byte{byte(n - 4)}), tlv([]byte{0xC2}, []byte{0}), []byte{0xFE, 0}))
	}
	return c
}

// SetPIN gives the card another PIN, with all its tries.
func (c *Card) SetPIN(pin string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pin = secret{pin, tries}
}

func blank() *Card {
	c := &Card{pin: secret{PIN, tries}, puk: secret{PUK, tries}, keys: map[byte]Key{}, objects: map[string][]byte{}, counts: map[byte]int{}}
	number, guid := make([]byte, 25), make([]byte, 16)
	rand.Read(number) // FASC-N, of which OpenSC makes the serial number
	rand.Read(guid)
	holder := join(tlv([]byte{0x30}, number), tlv([]byte{0x34}, guid), tlv([]byte{0x35}, []byte("20301231")), []byte{0x3E, 0, 0xFE, 0})
	c.objects["5fc102"] = tlv([]byte{0x53}, holder)
	return c
}

// put makes a certificate for a key and lays both on the card.
func (c *Card) put(slot byte, key crypto.Signer, name string) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	check(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(err)
	c.keys[slot] = Key{slot, key, der}
	c.objects[objectOf(slot)] = tlv([]byte{0x53}, join(tlv([]byte{0x70}, der), []byte{0x71, 1, 0, 0xFE, 0}))
}

// objectOf gives the tag of a slot's certificate (part 1, table 3).
func objectOf(slot byte) string {
	tags := map[byte]string{Authentication: "5fc105", Signature: "5fc10a", Management: "5fc10b", 0x9E: "5fc101"}
	if tag, ok := tags[slot]; ok {
		return tag
	}
	return fmt.Sprintf("5fc1%02x", 0x0D+slot-retired)
}

// Keys lists what is on the card, by slots.
func (c *Card) Keys() []Key {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Key
	for _, k := range c.keys {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Key) int { return int(a.Slot) - int(b.Slot) })
	return list
}

// Tries tells how many tries of the PIN are left.
func (c *Card) Tries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pin.left
}

// Count tells how often the card was given an instruction; of VERIFY only those that bring a PIN count.
func (c *Card) Count(instruction byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[instruction]
}

// Before has do called before the card looks at an instruction, nil to end that. It may Remove the card, or wait.
func (c *Card) Before(do func(instruction byte, data []byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = do
}

// After has do called when the card has done an instruction and before its answer leaves, nil to end that. It may Remove the card: the answer is lost.
func (c *Card) After(do func(instruction byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after = do
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
