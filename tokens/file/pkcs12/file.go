package pkcs12

import (
	"bytes"
	"fmt"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// File is a key store as it can be seen without its password.
type File struct {
	// Store holds the keys and certificates outside the encryption; Private is nil.
	Store
	// Native tells that this package wrote the file: all of it can be seen and a Lock can seal it again.
	Native bool

	content []byte // what the MAC covers
	mac     *macData
	safes   []encryptedSafe
	bags    int
	family  family // of a Native file
	limit   int    // iterations of one opening
}

// encryptedSafe is an EncryptedData that holds SafeContents.
type encryptedSafe struct {
	algorithm  algorithmIdentifier
	ciphertext []byte
}

// Parse reads the structure of a PFX. ErrDamaged when it is none, ErrUnsupported when it is closed to a public key, ErrForeign when
// only CryptoPro CSP can open it.
func Parse(data []byte) (*File, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("%w: more than %d octets", ErrUnsupported, maxSize)
	}
	der, err := toDER(data)
	if err != nil {
		return nil, err
	}
	f := &File{limit: maxIterations}
	s := cryptobyte.String(der)
	var pfx, info cryptobyte.String
	var version int
	if !s.ReadASN1(&pfx, cb.SEQUENCE) || !pfx.ReadASN1Integer(&version) || version != 3 || !pfx.ReadASN1(&info, cb.SEQUENCE) {
		return nil, fmt.Errorf("%w: not a PFX", ErrDamaged)
	}
	id, content, err := readContentInfo(&info)
	if err != nil {
		return nil, err
	}
	switch id {
	case oidData.String():
	case oidSignedData.String():
		return nil, fmt.Errorf("%w: closed to a public key, not by a password", ErrUnsupported)
	default:
		return nil, fmt.Errorf("%w: integrity by %s", ErrUnsupported, id)
	}
	var octets cryptobyte.String
	if !content.ReadASN1(&octets, cb.OCTET_STRING) || !content.Empty() {
		return nil, fmt.Errorf("%w: authenticated safe", ErrDamaged)
	}
	f.content = octets
	if !pfx.Empty() {
		var ok bool
		if f.mac, ok = readMAC(&pfx); !ok || !pfx.Empty() {
			return nil, fmt.Errorf("%w: MAC data", ErrDamaged)
		}
	}
	checked, err := verifyChecksum(f.content, f.mac)
	if err != nil {
		return nil, err
	}
	if err := f.readAuthenticatedSafe(); err != nil {
		return nil, err
	}
	if f.isForeign() {
		return nil, ErrForeign
	}
	f.family, f.Native = f.native(checked)
	return f, nil
}

// isForeign tells the containers of CryptoPro CSP before anybody is asked for a password that would not help.
func (f *File) isForeign() bool {
	for _, safe := range f.safes {
		if safe.algorithm.id.String() == oidCryptoPro {
			return true
		}
	}
	for _, key := range f.Keys {
		if key.closed.algorithm.id.String() == oidCryptoPro {
			return true
		}
	}
	return false
}

func (f *File) readAuthenticatedSafe() error {
	der, err := toDER(f.content)
	if err != nil {
		return err
	}
	s := cryptobyte.String(der)
	var infos cryptobyte.String
	if !s.ReadASN1(&infos, cb.SEQUENCE) {
		return fmt.Errorf("%w: authenticated safe", ErrDamaged)
	}
	for !infos.Empty() {
		var info cryptobyte.String
		if !infos.ReadASN1(&info, cb.SEQUENCE) {
			return fmt.Errorf("%w: safe", ErrDamaged)
		}
		id, content, err := readContentInfo(&info)
		if err != nil {
			return err
		}
		switch id {
		case oidData.String():
			var octets cryptobyte.String
			if !content.ReadASN1(&octets, cb.OCTET_STRING) || !content.Empty() {
				return fmt.Errorf("%w: safe", ErrDamaged)
			}
			if err := f.readSafe(&f.Store, octets); err != nil {
				return err
			}
		case oidEncryptedData.String():
			safe, ok := readEncryptedData(content)
			if !ok {
				return fmt.Errorf("%w: encrypted safe", ErrDamaged)
			}
			f.safes = append(f.safes, safe)
		default:
			return fmt.Errorf("%w: safe of type %s", ErrUnsupported, id)
		}
	}
	return nil
}

// readContentInfo gives the type and the inside of the [0].
func readContentInfo(s *cryptobyte.String) (id string, content cryptobyte.String, err error) {
	algorithm := algorithmIdentifier{}
	if !s.ReadASN1ObjectIdentifier(&algorithm.id) || !s.ReadASN1(&content, cb.Tag(0).ContextSpecific().Constructed()) || !s.Empty() {
		return "", nil, fmt.Errorf("%w: content info", ErrDamaged)
	}
	return algorithm.id.String(), content, nil
}

func readEncryptedData(content cryptobyte.String) (safe encryptedSafe, ok bool) {
	var data, info, inner cryptobyte.String
	var version int
	var kind algorithmIdentifier
	if !content.ReadASN1(&data, cb.SEQUENCE) || !data.ReadASN1Integer(&version) || !data.ReadASN1(&info, cb.SEQUENCE) ||
		!info.ReadASN1ObjectIdentifier(&kind.id) || !kind.id.Equal(oidData) {
		return safe, false
	}
	if safe.algorithm, ok = readAlgorithm(&info); !ok {
		return safe, false
	}
	switch primitive := cb.Tag(0).ContextSpecific(); {
	case info.PeekASN1Tag(primitive):
		if !info.ReadASN1(&inner, primitive) {
			return safe, false
		}
		safe.ciphertext = inner
	case info.PeekASN1Tag(primitive.Constructed()):
		if !info.ReadASN1(&inner, primitive.Constructed()) {
			return safe, false
		}
		for !inner.Empty() {
			var piece cryptobyte.String
			if !inner.ReadASN1(&piece, cb.OCTET_STRING) {
				return safe, false
			}
			safe.ciphertext = append(safe.ciphertext, piece...)
		}
	default:
		return safe, false
	}
	return safe, info.Empty()
}

// readSafe adds the bags of a SafeContents to store.
func (f *File) readSafe(store *Store, octets []byte) error {
	der, err := toDER(octets)
	if err != nil {
		return err
	}
	s := cryptobyte.String(der)
	return f.readBags(store, &s, 0)
}

func (f *File) readBags(store *Store, s *cryptobyte.String, depth int) error {
	bad := fmt.Errorf("%w: bag", ErrDamaged)
	var bags cryptobyte.String
	if depth > maxDepth || !s.ReadASN1(&bags, cb.SEQUENCE) || !s.Empty() {
		return bad
	}
	for !bags.Empty() {
		if f.bags++; f.bags > maxBags {
			return fmt.Errorf("%w: more than %d bags", ErrUnsupported, maxBags)
		}
		var bag, value cryptobyte.String
		var kind algorithmIdentifier
		if !bags.ReadASN1(&bag, cb.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&kind.id) ||
			!bag.ReadASN1(&value, cb.Tag(0).ContextSpecific().Constructed()) {
			return bad
		}
		attributes, ok := readAttributes(&bag)
		if !ok || !bag.Empty() {
			return bad
		}
		switch {
		case kind.id.Equal(oidKeyBag):
			store.Keys = append(store.Keys, Key{ID: attributes.keyID, Label: attributes.name, Public: attributes.public,
				closed: &shrouded{plain: value}})
		case kind.id.Equal(oidShroudedKeyBag):
			closed, ok := readShrouded(value)
			if !ok {
				return bad
			}
			store.Keys = append(store.Keys, Key{ID: attributes.keyID, Label: attributes.name, Public: attributes.public, closed: closed})
		case kind.id.Equal(oidCertBag):
			der, ok := readCertBag(value)
			if !ok {
				return bad
			}
			if der != nil {
				store.Certificates = append(store.Certificates, Certificate{DER: der, ID: attributes.keyID, Label: attributes.name})
			}
		case kind.id.Equal(oidSafeContentsBag):
			if err := f.readBags(store, &value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func readShrouded(value cryptobyte.String) (*shrouded, bool) {
	var in cryptobyte.String
	if !value.ReadASN1(&in, cb.SEQUENCE) || !value.Empty() {
		return nil, false
	}
	algorithm, ok := readAlgorithm(&in)
	if !ok {
		return nil, false
	}
	out := &shrouded{algorithm: algorithm}
	return out, in.ReadASN1Bytes(&out.ciphertext, cb.OCTET_STRING) && in.Empty()
}

// readCertBag gives nil for a certificate that is not X.509 (SDSI).
func readCertBag(value cryptobyte.String) ([]byte, bool) {
	var in, wrapped cryptobyte.String
	var kind algorithmIdentifier
	if !value.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1ObjectIdentifier(&kind.id) ||
		!in.ReadASN1(&wrapped, cb.Tag(0).ContextSpecific().Constructed()) {
		return nil, false
	}
	if !kind.id.Equal(oidX509Certificate) {
		return nil, true
	}
	var der []byte
	return der, wrapped.ReadASN1Bytes(&der, cb.OCTET_STRING) && wrapped.Empty()
}

type attributes struct {
	keyID  []byte
	name   string
	public []byte
}

// readAttributes skips what it does not know: an attribute type may have arcs of any length, and any values.
func readAttributes(bag *cryptobyte.String) (a attributes, ok bool) {
	var set cryptobyte.String
	var present bool
	if !bag.ReadOptionalASN1(&set, &present, cb.SET) {
		return a, false
	}
	for !set.Empty() {
		var attribute, id, values cryptobyte.String
		if !set.ReadASN1(&attribute, cb.SEQUENCE) || !attribute.ReadASN1(&id, cb.OBJECT_IDENTIFIER) ||
			!attribute.ReadASN1(&values, cb.SET) {
			return a, false
		}
		switch {
		case bytes.Equal(id, attrLocalKeyID):
			if !values.ReadASN1Bytes(&a.keyID, cb.OCTET_STRING) {
				return a, false
			}
		case bytes.Equal(id, attrFriendlyName):
			var name cryptobyte.String
			if !values.ReadASN1(&name, cb.Tag(30)) { // BMPString
				return a, false
			}
			a.name = bmpString(name)
		case bytes.Equal(id, attrPublicKey):
			var public cryptobyte.String
			if !values.ReadASN1Element(&public, cb.SEQUENCE) {
				return a, false
			}
			a.public = public
		}
	}
	return a, true
}

func bmpString(octets []byte) string {
	units := make([]uint16, len(octets)/2)
	for i := range units {
		units[i] = uint16(octets[2*i])<<8 | uint16(octets[2*i+1])
	}
	return string(utf16.Decode(units))
}
