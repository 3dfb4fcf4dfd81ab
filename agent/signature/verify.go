package signature

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens"
)

// Report is what VerifyCAdES found. The document is signed only by those signers whose Err is nil.
type Report struct {
	Attached     bool
	ContentSize  int64 // octets of an attached document
	ContentType  string
	Certificates [][]byte // all that the signature carries, in its order
	Signers      []Signer // at least one
}

// Signer is one signature over the document. Whether its certificate is to be trusted, and was good at that time, is another question.
type Signer struct {
	Certificate []byte      // DER; nil when the signature does not carry it
	SigningTime time.Time   // as claimed by the signer; zero when not
	Hash        tokens.Hash // 0 when unknown
	Algorithm   string      // for people: "RSA-PSS, SHA-256"
	MediaType   string      // mime-type attribute
	Level       string      // "B" for CAdES-B-B, "" for anything less
	Err         error       // nil: it holds. ErrInvalid, ErrDigest, ErrCertificate (ErrNoCertificate: not checked), ErrAlgorithm, ErrMalformed
}

// ErrDocumentNeeded: the signature is detached and no document was given.
var ErrDocumentNeeded = errors.New("the signature is detached: the document itself is needed")

// What a signature may hold in memory. Content, CRLs and unsigned attributes are streamed past and have no limit.
const (
	maxCertificates     = 64
	maxCertificateBytes = 1 << 20
	maxSigners          = 64
	maxSigned           = 64 << 10 // signed attributes of one signer
	maxSmall            = 16 << 10 // identifiers, names, signature values
)

// VerifyCAdES verifies a CMS SignedData of any size: DER or BER, PEM, or base64. digest gives the digest of the detached document by the hash
// asked for; nil when the document is attached. When both are there, both must fit. known are certificates (DER) of signers that the signature
// itself leaves out.
//
// For each signer: content-type and message-digest fit the content, the certificate is the one the signing-certificate-v2 attribute names, and
// the signature over the signed attributes holds by a strong algorithm. A signature without signed attributes has no Level and no SigningTime;
// it is refused when the document is detached or is itself a set of attributes: its octets could be those of somebody's attributes passed off
// as a document.
//
// The error tells that there is no signature to report on (ErrMalformed, ErrDocumentNeeded, or the reader's own). It never means "valid".
func VerifyCAdES(r io.Reader, digest func(tokens.Hash) ([]byte, error), known ...[]byte) (*Report, error) {
	plain, err := binary(r, cmsLabels...)
	if err != nil {
		return nil, err
	}
	v := newVerifier(plain)
	v.external = digest
	for _, der := range known {
		c, err := parseCertificate(der)
		if err != nil {
			return nil, err
		}
		v.known = append(v.known, c)
	}
	if err := v.signedData(); err != nil {
		return nil, err
	}
	if len(v.report.Signers) == 0 {
		return nil, malformed("certificates without a signature")
	}
	return &v.report, nil
}

type verifier struct {
	*berReader
	external     func(tokens.Hash) ([]byte, error)
	undecided    bool // a detached document is not there: what is signed over its digest is judged without it
	report       Report
	contentType  asn1.ObjectIdentifier
	listed       []digest
	sums         map[string][]byte // of the document, by the digest's name
	head         beginning         // of an attached document
	certificates []*certificate
	known        []*certificate // not in the signature
}

func newVerifier(r io.Reader) *verifier {
	return &verifier{berReader: newBER(r), sums: map[string][]byte{}}
}

// signedData walks SignedData (RFC 5652 section 5.1).
func (v *verifier) signedData() error {
	if err := v.into("ContentInfo", sequenceTag); err != nil {
		return err
	}
	if oid, err := v.oid(); err != nil {
		return err
	} else if !oid.Equal(oidSignedData) {
		return malformed("not SignedData")
	}
	if err := v.into("SignedData", explicit(0)); err != nil {
		return err
	}
	if err := v.into("SignedData", sequenceTag); err != nil {
		return err
	}
	version, err := v.integer()
	if err != nil {
		return err
	}
	if version != 1 && (version < 3 || version > 5) {
		return malformed("version")
	}
	if err := v.digestAlgorithms(); err != nil {
		return err
	}
	if err := v.encapsulated(); err != nil {
		return err
	}
	h, err := v.expect("signerInfos", tagCertificates, tagRevocationInfos, setTag)
	if err == nil && h.tag == tagCertificates {
		if err = v.readCertificates(h); err == nil {
			h, err = v.expect("signerInfos", tagRevocationInfos, setTag)
		}
	}
	if err == nil && h.tag == tagRevocationInfos {
		if err = v.skip(h); err == nil {
			h, err = v.expect("signerInfos", setTag)
		}
	}
	if err != nil {
		return err
	}
	if err := v.signerInfos(h); err != nil {
		return err
	}
	for range 3 { // SignedData, its [0], ContentInfo
		if err := v.leave("SignedData"); err != nil {
			return err
		}
	}
	return v.end()
}

func (v *verifier) oid() (asn1.ObjectIdentifier, error) {
	der, err := v.small("object identifier", cbasn1.OBJECT_IDENTIFIER)
	if err != nil {
		return nil, err
	}
	var oid asn1.ObjectIdentifier
	in := cryptobyte.String(der)
	if !in.ReadASN1ObjectIdentifier(&oid) {
		return nil, malformed("object identifier")
	}
	return oid, nil
}

func (v *verifier) integer() (int, error) {
	der, err := v.small("integer", cbasn1.INTEGER)
	if err != nil {
		return 0, err
	}
	var n int
	in := cryptobyte.String(der)
	if !in.ReadASN1Integer(&n) {
		return 0, malformed("integer")
	}
	return n, nil
}

// small reads one element of little size as DER.
func (v *verifier) small(what string, tags ...cbasn1.Tag) ([]byte, error) {
	h, err := v.expect(what, tags...)
	if err != nil {
		return nil, err
	}
	return v.read(h, maxSmall)
}

func (v *verifier) digestAlgorithms() error {
	der, err := v.small("digestAlgorithms", setTag)
	if err != nil {
		return err
	}
	in := cryptobyte.String(der)
	var set cryptobyte.String
	in.ReadASN1(&set, setTag)
	for !set.Empty() {
		id, err := readIdentifier(&set)
		if err != nil {
			return err
		}
		// A signer that uses another one is told so at its place.
		if d, err := byDigestID(id); err == nil && !v.lists(d) {
			v.listed = append(v.listed, d)
		}
	}
	return nil
}

func (v *verifier) lists(d digest) bool {
	for _, l := range v.listed {
		if l.name == d.name {
			return true
		}
	}
	return false
}

// encapsulated hashes attached content, once by each hash listed.
func (v *verifier) encapsulated() (err error) {
	if err := v.into("encapContentInfo", sequenceTag); err != nil {
		return err
	}
	if v.contentType, err = v.oid(); err != nil {
		return err
	}
	v.report.ContentType = v.contentType.String()
	h, more, err := v.next()
	if err != nil || !more {
		return err
	}
	if h.tag != tagEncapsulated {
		return malformed("encapContentInfo")
	}
	if err := v.enter(h); err != nil {
		return err
	}
	content, err := v.expect("content", cbasn1.OCTET_STRING, octetsPieces)
	if err != nil {
		return err
	}
	v.report.Attached = true
	hashes := make([]hash.Hash, len(v.listed))
	writers := []io.Writer{&v.head}
	for i, d := range v.listed {
		hashes[i] = d.new()
		writers = append(writers, hashes[i])
	}
	if v.report.ContentSize, err = v.octets(content, io.MultiWriter(writers...)); err != nil {
		return err
	}
	for i, d := range v.listed {
		v.sums[d.name] = hashes[i].Sum(nil)
	}
	if err := v.leave("content"); err != nil {
		return err
	}
	return v.leave("encapContentInfo")
}

func (v *verifier) readCertificates(h berHead) error {
	if err := v.enter(h); err != nil {
		return err
	}
	total := 0
	for {
		h, more, err := v.next()
		if err != nil || !more {
			return err
		}
		if h.tag != sequenceTag { // attribute certificates and others
			if err := v.skip(h); err != nil {
				return err
			}
			continue
		}
		der, err := v.read(h, maxCertificate-8)
		if err != nil {
			return err
		}
		if total += len(der); total > maxCertificateBytes || len(v.certificates) == maxCertificates {
			return malformed("too many certificates")
		}
		c, err := parseCertificate(der)
		if err != nil {
			return err
		}
		v.certificates = append(v.certificates, c)
		v.report.Certificates = append(v.report.Certificates, der)
	}
}

func (v *verifier) signerInfos(h berHead) error {
	if err := v.enter(h); err != nil {
		return err
	}
	for {
		h, more, err := v.next()
		if err != nil || !more {
			return err
		}
		if h.tag != sequenceTag || len(v.report.Signers) == maxSigners {
			return malformed("signerInfos")
		}
		if err := v.enter(h); err != nil {
			return err
		}
		info, err := v.signerInfo()
		if err != nil {
			return err
		}
		s, err := v.verify(info)
		if err != nil {
			return err
		}
		v.report.Signers = append(v.report.Signers, s)
	}
}

// documentDigest gives the digest of the document by d, of the attached content or from the caller; both when there are both.
func (v *verifier) documentDigest(d digest) ([]byte, error) {
	sum, attached := v.sums[d.name]
	if v.external == nil {
		if !v.report.Attached && !v.undecided {
			return nil, ErrDocumentNeeded
		}
		return sum, nil
	}
	given, err := v.external(d.hash)
	if err != nil {
		return nil, fmt.Errorf("digest of the document: %w", err)
	}
	if attached && !bytes.Equal(given, sum) {
		return nil, nil // equal to no digest
	}
	return given, nil
}
