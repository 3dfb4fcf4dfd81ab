package signature

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/perosign/pero/agent/names"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Kind is what a file turns out to be. "inspect.kind." and the kind is its message in the catalogue.
type Kind string

// The kinds.
const (
	KindCertificate  Kind = "certificate"
	KindRequest      Kind = "request"
	KindCRL          Kind = "crl"
	KindCMS          Kind = "cms"
	KindPKCS12       Kind = "pkcs12"
	KindPrivateKey   Kind = "private_key"
	KindEncryptedKey Kind = "encrypted_key"
	KindOCSP         Kind = "ocsp"
	KindSigner       Kind = "signer"  // inside a CMS
	KindSeveral      Kind = "several" // a PEM file with more than one block
)

// Field is one line about a file. ID is a message of the catalogue; so is Value where Word is set, else it is shown as it stands: unseen characters
// are made visible already.
type Field struct {
	ID    string `json:"id"`
	Value string `json:"value"`
	Word  bool   `json:"-"`
	Time  bool   `json:"-"` // Value is RFC 3339
}

// Description is what a file is and says.
type Description struct {
	Kind   Kind          `json:"kind"`
	Fields []Field       `json:"fields"`
	Holds  *bool         `json:"holds,omitempty"` // its signature; nil: it has none, or what it needs to be checked is not there
	Nested []Description `json:"nested,omitempty"`
}

// maxInspect bounds what is described at once; a larger attached signature is for VerifyCAdES.
const (
	maxInspect = 64 << 20
	maxParts   = 2000
)

// Inspect recognises a file and describes it. No password is asked for, no private value is read. ErrUnknownKind when it is none of the kinds,
// ErrMalformed when it begins as one and is broken.
func Inspect(data []byte) (Description, error) { return InspectWith(data, nil) }

// InspectWith also says whether certificate, CRL or OCSP response hold under the issuer's certificate (DER, PEM; nil: unknown).
func InspectWith(data, issuer []byte) (Description, error) {
	i := inspector{}
	if issuer != nil {
		list, err := Certificates(issuer)
		if err != nil {
			return Description{}, fmt.Errorf("issuer: %w", err)
		}
		for _, der := range list {
			c, err := parseCertificate(der)
			if err != nil {
				return Description{}, fmt.Errorf("issuer: %w", err)
			}
			i.issuers = append(i.issuers, c)
		}
	}
	if len(data) > maxInspect {
		return Description{}, malformed("too large to be described")
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return i.pem(data)
	}
	if plain, ok := unarmoured(data); ok {
		data = plain
	}
	return i.der(data)
}

// inspector knows the issuers' certificates. inside: they are only some of many, so that an unknown issuer leaves the question open.
type inspector struct {
	issuers []*certificate
	inside  bool
}

// unarmoured undoes base64 that is not in PEM.
func unarmoured(data []byte) ([]byte, bool) {
	if len(data) == 0 || data[0] != 'M' {
		return nil, false
	}
	plain, err := binary(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	var out bytes.Buffer
	_, err = out.ReadFrom(plain)
	return out.Bytes(), err == nil
}

func (i inspector) pem(data []byte) (Description, error) {
	all := Description{Kind: KindSeveral}
	own := i
	if len(i.issuers) == 0 {
		own = inspector{issuers: together(data), inside: true}
	}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if len(all.Nested) == maxParts {
			return Description{}, malformed("too many parts")
		}
		if block.Type == "EC PARAMETERS" {
			continue
		}
		var d Description
		var err error
		if block.Headers["DEK-Info"] != "" { // RFC 1421: its octets are no DER
			d = Description{Kind: KindEncryptedKey}
			d.add("inspect.encryption", block.Headers["DEK-Info"])
		} else {
			by := i
			if block.Type == "CERTIFICATE" {
				by = own
			}
			if d, err = by.der(block.Bytes); err != nil {
				return Description{}, err
			}
		}
		all.Nested = append(all.Nested, d)
	}
	switch len(all.Nested) {
	case 0:
		return Description{}, ErrUnknownKind
	case 1:
		return all.Nested[0], nil
	}
	all.add("inspect.count", strconv.Itoa(len(all.Nested)))
	return all, nil
}

// together lists the certificates of a PEM file, which may be a chain.
func together(data []byte) (list []*certificate) {
	for block, rest := pem.Decode(data); block != nil && len(list) < maxCertificates; block, rest = pem.Decode(rest) {
		if c, err := parseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			list = append(list, c)
		}
	}
	return list
}

// der tells the kinds apart by their first member.
func (i inspector) der(data []byte) (Description, error) {
	r := newBER(bytes.NewReader(data))
	if err := r.into("", sequenceTag); err != nil {
		return Description{}, ErrUnknownKind
	}
	h, more, err := r.next()
	if err != nil || !more {
		return Description{}, ErrUnknownKind
	}
	switch h.tag {
	case cbasn1.OBJECT_IDENTIFIER:
		return i.cms(data)
	case cbasn1.ENUM:
		return i.ocsp(data)
	case cbasn1.INTEGER:
		if n, err := r.read(h, 16); err == nil && bytes.Equal(n, []byte{2, 1, 3}) {
			return i.pkcs12(data)
		}
		return i.privateKey(data)
	case sequenceTag:
		return i.signed(data)
	}
	return Description{}, ErrUnknownKind
}

// signed tells certificate, request and CRL apart: all are a structure, an algorithm and a signature.
func (i inspector) signed(data []byte) (Description, error) {
	in := cryptobyte.String(data)
	var whole, tbs cryptobyte.String
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return Description{}, ErrUnknownKind
	}
	if whole.PeekASN1Tag(cbasn1.OCTET_STRING) {
		return i.encryptedKey(data)
	}
	if tbs.PeekASN1Tag(explicit(0)) {
		return i.certificate(data)
	}
	c, cerr := i.certificate(data) // version 1
	if cerr == nil {
		return c, nil
	}
	r, rerr := i.request(data)
	if rerr == nil {
		return r, nil
	}
	l, lerr := i.crl(data)
	if lerr == nil {
		return l, nil
	}
	return Description{}, errors.Join(ErrUnknownKind, cerr, rerr, lerr)
}

func (d *Description) add(id, value string) {
	if value != "" {
		d.Fields = append(d.Fields, Field{ID: id, Value: names.Visible(cut(value, 2000), "")})
	}
}

func (d *Description) word(id, value string) {
	d.Fields = append(d.Fields, Field{ID: id, Value: value, Word: true})
}

func (d *Description) time(id string, t time.Time) {
	if !t.IsZero() {
		d.Fields = append(d.Fields, Field{ID: id, Value: t.UTC().Format(time.RFC3339), Time: true})
	}
}

// name adds a name as a whole, and each of its members in a line of its own.
func (d *Description) name(id string, der []byte, each bool) error {
	n, err := names.Parse(der)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d.Fields = append(d.Fields, Field{ID: id, Value: n.String()})
	for _, a := range n {
		if each && a.Member != "" {
			d.add("inspect.member."+a.Member, a.Value)
		}
	}
	return nil
}

// holds turns a check into an answer: an algorithm that is not known here, or a certificate that is not, leaves the question open.
func (d *Description) holds(err error) {
	if errors.Is(err, ErrNoCertificate) {
		d.Holds = nil
		d.word("inspect.unchecked", "inspect.unchecked.certificate")
		return
	}
	if errors.Is(err, ErrAlgorithm) {
		d.Holds = nil
		d.word("inspect.unchecked", "inspect.unchecked.algorithm")
		return
	}
	yes := err == nil
	d.Holds = &yes
}

// issued says whether a structure of an issuer's name holds under one of the given issuers; ErrCertificate when none has that name.
func (i inspector) issued(name []byte, id identifier, tbs, sig []byte) error {
	err := fmt.Errorf("another issuer: %w", ErrCertificate)
	for _, c := range i.issuers {
		if !bytes.Equal(c.subject, name) {
			continue
		}
		if err = checkSigned(c.public, id, tbs, sig); err == nil {
			return nil
		}
	}
	return err
}

func (i inspector) certificate(data []byte) (Description, error) {
	c, err := parseCertificate(data)
	if err != nil {
		return Description{}, err
	}
	d := Description{Kind: KindCertificate}
	if err := d.name("inspect.subject", c.subject, true); err != nil {
		return d, err
	}
	if err := d.name("inspect.issuer", c.issuer, false); err != nil {
		return d, err
	}
	d.add("inspect.serialNumber", hex.EncodeToString(c.serial))
	d.time("inspect.notBefore", c.notBefore)
	d.time("inspect.notAfter", c.notAfter)
	d.add("inspect.key", keyName(c.public))
	d.add("inspect.signatureAlgorithm", signatureName(c.algorithm))
	d.word("inspect.qualified", map[bool]string{true: "inspect.yes", false: "inspect.no"}[c.qualified()])
	d.extensions(c.extensions)
	d.add("inspect.fingerprint", fingerprint(data))
	if c.selfIssued() {
		if err := c.checkedBy(c.public); err == nil {
			d.word("inspect.selfSigned", "inspect.yes")
			d.holds(nil)
			return d, nil
		} else if len(i.issuers) == 0 {
			d.holds(err)
			return d, nil
		}
	}
	switch err := i.issued(c.issuer, c.algorithm, c.tbs, c.signature); {
	case len(i.issuers) == 0, i.inside && errors.Is(err, ErrCertificate):
		d.word("inspect.unchecked", "inspect.unchecked.issuer")
	default:
		d.holds(err)
	}
	return d, nil
}

func fingerprint(data []byte) string {
	h := sha256Digest.new()
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

func (i inspector) request(data []byte) (Description, error) {
	r, err := readRequest(data)
	if err != nil {
		return Description{}, err
	}
	d := Description{Kind: KindRequest}
	if err := d.name("inspect.subject", r.SubjectDER, true); err != nil {
		return d, err
	}
	d.add("inspect.key", keyName(r.Public))
	d.add("inspect.signatureAlgorithm", signatureName(r.algorithm))
	d.extensions(r.extensions)
	d.holds(r.check())
	return d, nil
}

// keyName names a public key for people, also one that cannot be used here.
func keyName(spki []byte) string {
	p, err := parsePublic(spki)
	if err == nil {
		return p.name
	}
	in := cryptobyte.String(spki)
	var seq cryptobyte.String
	in.ReadASN1(&seq, cbasn1.SEQUENCE)
	id, iderr := readIdentifier(&seq)
	if iderr != nil {
		return "?"
	}
	var bits []byte
	if id.oid.Equal(oidRSA) && seq.ReadASN1BitStringAsBytes(&bits) {
		return "RSA (" + err.Error() + ")"
	}
	return oidName(id.oid)
}

func signatureName(id identifier) string {
	if a, err := bySignatureID(id, nil); err == nil {
		return a.name
	}
	return oidName(id.oid)
}
