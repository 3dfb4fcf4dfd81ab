package tokens

import (
	"crypto/sha256"
	"encoding/hex"
)

// ID names one token for as long as it keeps its module, serial number, label and slot. Lower-case hex. A slot number alone is
// no identity: readers are re-numbered, and there are serial numbers of all zeros and empty labels.
type ID string

// MakeID derives the ID of a token.
func MakeID(module, serial, label, slot string) ID {
	h := sha256.New()
	for _, part := range []string{module, serial, label, slot} {
		h.Write([]byte{byte(len(part) >> 8), byte(len(part))})
		h.Write([]byte(part))
	}
	return ID(hex.EncodeToString(h.Sum(nil)[:16]))
}

// Carrier is the kind of thing a token is, as a person would call it.
type Carrier string

// The carriers of the protocol.
const (
	SmartCard Carrier = "smartcard"
	USBToken  Carrier = "usb_token"
	File      Carrier = "file"
	TPM       Carrier = "tpm"
	Software  Carrier = "software"
)

// State is what can be said of a token without a PIN. PKCS#11 has three PIN flags and no number of tries
// (PKCS#11 3.0, CK_TOKEN_INFO flags); the states carry no more than that.
type State string

// The states of the protocol, from usable to useless.
const (
	Ready         State = "ready"
	PINLow        State = "pin_low"       // at least one wrong PIN since the last right one
	PINFinalTry   State = "pin_final_try" // the next wrong PIN locks
	PINLocked     State = "pin_locked"
	PINNotSet     State = "pin_not_set" // a new file carrier, or a token without a user PIN
	Uninitialized State = "uninitialized"
	Unreadable    State = "unreadable"
	Busy          State = "busy" // another program has the card for itself: nothing is known but its reader
)

// Open says whether anything can be read of a token in this state beside its name.
func (s State) Open() bool { return s != Uninitialized && s != Unreadable && s != Busy }

// Token is what is known of a carrier without its PIN.
type Token struct {
	ID           ID
	Module       string // name of the module that offers it, as configured: "SoftHSM"; "file" for file carriers
	Label        string
	Manufacturer string
	Model        string
	SerialNumber string
	Reader       string // the slot's description, "" for files
	Carrier      Carrier
	State        State
	Writable     bool // keys can be made and certificates written
	PINPad       bool // the PIN is typed on the reader (CKF_PROTECTED_AUTHENTICATION_PATH)
	MinPIN       int  // octets, 0 when unknown
	MaxPIN       int  // octets, 0 when unknown
	NewPIN       PINPolicy
	Protected    bool   // CKF_WRITE_PROTECTED: nothing of it can be changed, its PIN neither
	Erasable     bool   // it can be erased and named (Manager.Initialize)
	NoPSS        bool   // its RSA keys do not sign by RSASSA-PSS
	ToBeChanged  bool   // CKF_USER_PIN_TO_BE_CHANGED: the PIN is the one that the token was handed out with
	Reset        Secret // what sets the PIN without knowing it: SOPIN or PUK; "" for a carrier whose PIN nobody can set anew
	ResetState   State  // of that secret, as far as it is known: Ready, PINLow, PINFinalTry, PINLocked
	Algorithms   []KeyAlgorithm
}

// PINPolicy is what a new PIN has to be like, as far as that is known before the token is asked. PKCS#11 tells lengths and no alphabet.
type PINPolicy struct {
	Min, Max int  // octets, 0 when unknown
	Digits   bool // nothing but digits
}

// KeyID names a key on its token: the hex of CKA_ID (PKCS#11) or localKeyId (PKCS#12), or whatever else a store
// finds the key by when that is empty. Opaque to callers; unique on the token.
type KeyID string

// Key is a private key as seen from outside.
type Key struct {
	ID        KeyID
	Algorithm KeyAlgorithm
	Public    []byte // SubjectPublicKeyInfo, DER; nil when neither a public key object nor a certificate tells it
	Label     string
	// AlwaysAuthenticate: the token wants the PIN for every single signature (CKA_ALWAYS_AUTHENTICATE).
	AlwaysAuthenticate bool
	TokenHash          bool // the token hashes what this key signs: ask it with Algorithm.TokenHash
}

// Certificate is a certificate object on a token, with or without its key beside it.
type Certificate struct {
	DER []byte
	Key KeyID // "" when no private key of this certificate is on the token
}
