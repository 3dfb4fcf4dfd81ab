// Package cards is what Pero knows of PKCS#11 modules and carriers before it loads or reads any: where modules are installed, how some
// of them behave, what kind of thing a token is. The knowledge is data (cards.json beside a schema); here is how it is read.
package cards

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

//go:embed cards.json
var document []byte

// data is the shape of cards.json, see cards.schema.json.
type data struct {
	Products  []product `json:"products"`
	NoCarrier []string  `json:"noCarrier"`
	Libraries []library `json:"libraries"`
	Carriers  []carrier `json:"carriers"`
	GOST      []hasher  `json:"gost"`
	Limits    []limit   `json:"limits"`
	NewPINs   []newPIN  `json:"newPINs"`
}

type product struct {
	Name    string   `json:"name"`
	Files   []string `json:"files"`
	Linux   []string `json:"linux"`
	Windows []string `json:"windows"`
	Darwin  []string `json:"darwin"`
}

type library struct {
	Manufacturer string `json:"manufacturer"`
	Quirks
}

type carrier struct {
	Kind         string `json:"kind"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Reader       string `json:"reader"`
}

type hasher struct {
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Hash         string `json:"hash"`
}

type limit struct {
	Library      string   `json:"library"`
	Manufacturer string   `json:"manufacturer"`
	Cannot       []string `json:"cannot"`
}

type newPIN struct {
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	NewPIN
}

// NewPIN is what cards of a standard take as a new PIN, where PKCS#11 cannot tell it.
type NewPIN struct {
	Digits bool `json:"digits"` // nothing but digits
	Min    int  `json:"min"`    // octets
	Max    int  `json:"max"`
}

// Quirks is how a library differs from what the specification leads one to expect.
type Quirks struct {
	// Rescan: the library reads its list of tokens only in C_Initialize.
	Rescan bool `json:"rescan"`
	// Remembers: the library reads a token's objects only in C_Initialize, and is quick at it.
	Remembers bool `json:"remembers"`
	// FreeSlot: the library always offers one more, uninitialised token that no person ever saw.
	FreeSlot bool `json:"freeSlot"`
	// Wait: C_WaitForSlotEvent was seen to work and to keep no other call waiting.
	Wait bool `json:"wait"`
	// Readers: the library's slots are PC/SC's readers, by PC/SC's names.
	Readers bool `json:"readers"`
	// Stepwise: the library writes a new object on the token attribute by attribute, and a process that reads it meanwhile writes the half
	// it read, filled with defaults, over the whole. C_CopyObject writes at once.
	Stepwise bool `json:"stepwise"`
	// Decrypts: the library makes no RSA key that only signs.
	Decrypts bool `json:"decrypts"`
	// PUK: a PIN that is locked is set by C_SetPIN without a login, with the PUK for the old PIN. Elsewhere C_Login(CKU_SO) and C_InitPIN set any.
	PUK bool `json:"puk"`
}

var known = sync.OnceValue(func() data {
	var d data
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		panic("cards.json: " + err.Error())
	}
	return d
})

// QuirksOf finds a library by the manufacturerID of its CK_INFO.
func QuirksOf(manufacturer string) Quirks {
	for _, l := range known().Libraries {
		if strings.HasPrefix(manufacturer, l.Manufacturer) {
			return l.Quirks
		}
	}
	return Quirks{}
}

// TokenHash tells by the fields of CK_TOKEN_INFO whether a token is to make the digests for its GOST keys itself, by the mechanism that
// signs with the hash. The others are given the digest.
func TokenHash(manufacturer, model string) bool {
	for _, h := range known().GOST {
		if contains(manufacturer, h.Manufacturer) && contains(model, h.Model) {
			return h.Hash == "token"
		}
	}
	return false
}

// Cannot tells what neither the flags nor the mechanisms of a token tell: whether a thing that PKCS#11 has is beyond it. library is the
// manufacturerID of CK_INFO, manufacturer that of CK_TOKEN_INFO, what one of the words of cards.schema.json.
func Cannot(library, manufacturer, what string) bool {
	for _, l := range known().Limits {
		if strings.HasPrefix(library, l.Library) && contains(manufacturer, l.Manufacturer) && slices.Contains(l.Cannot, what) {
			return true
		}
	}
	return false
}

// NewPINOf finds what is known of new PINs by the fields of CK_TOKEN_INFO; nothing is known of most tokens.
func NewPINOf(manufacturer, model string) NewPIN {
	for _, n := range known().NewPINs {
		if contains(manufacturer, n.Manufacturer) && contains(model, n.Model) {
			return n.NewPIN
		}
	}
	return NewPIN{}
}

// CarrierOf guesses what a person would call a token: "smartcard", "usb_token", "tpm" or "software". The fields are those of CK_TOKEN_INFO and
// the slot's description; removable is CKF_REMOVABLE_DEVICE.
func CarrierOf(manufacturer, model, reader string, removable bool) string {
	for _, c := range known().Carriers {
		if contains(manufacturer, c.Manufacturer) && contains(model, c.Model) && contains(reader, c.Reader) {
			return c.Kind
		}
	}
	if !removable {
		return "software"
	}
	return "smartcard"
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
