package pkcs12

// Store is the contents of a key store.
type Store struct {
	Keys         []Key
	Certificates []Certificate
}

// Key is one private key.
type Key struct {
	ID      []byte // localKeyId; nil when a foreign file has none
	Label   string // friendlyName
	Public  []byte // SubjectPublicKeyInfo, DER; nil when nothing tells it
	Private []byte // PrivateKeyInfo (PKCS#8), DER; nil before the store is open

	closed *shrouded
}

// Certificate is one certificate as the file holds it: not parsed.
type Certificate struct {
	DER   []byte
	ID    []byte // localKeyId of its key; nil for an issuer
	Label string
}

// Wipe overwrites the private keys.
func (s *Store) Wipe() {
	for i := range s.Keys {
		clear(s.Keys[i].Private)
		s.Keys[i].Private = nil
	}
}

// shrouded is an EncryptedPrivateKeyInfo, or a PrivateKeyInfo that a foreign file leaves in the clear.
type shrouded struct {
	algorithm  algorithmIdentifier
	ciphertext []byte
	plain      []byte
}
