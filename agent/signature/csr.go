package signature

import (
	"context"
	"encoding/asn1"
	"fmt"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/tokens"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var oidExtensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}

// maxRequest bounds a request that is parsed.
const maxRequest = 64 << 10

// CSR makes a PKCS#10 request (RFC 2986) for the key public (SubjectPublicKeyInfo, DER), signed by sign under alg. The request is proved with the
// public key before it is returned.
func CSR(ctx context.Context, public []byte, alg tokens.Algorithm, sign Sign, subject names.Name, ext Extensions) ([]byte, error) {
	name, err := subject.Marshal()
	if err != nil {
		return nil, err
	}
	list, err := ext.list(len(subject) == 0)
	if err != nil {
		return nil, err
	}
	var attributes []byte // [0] stands there also when empty
	if len(list) > 0 {
		attributes = attribute{oidExtensionRequest, [][]byte{marshalExtensions(list)}}.marshal()
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddBytes(name)
		b.AddBytes(public)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	})
	info, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return Signed(ctx, public, alg, sign, info)
}

// Request is a certification request read back.
type Request struct {
	Subject    names.Name
	SubjectDER []byte
	Public     []byte // SubjectPublicKeyInfo, DER
	Extensions Extensions
	// Requested holds the DER of each extension asked for by dotted OID, those Extensions does not name too.
	Requested map[string][]byte

	info       []byte
	algorithm  identifier
	signature  []byte
	extensions []extension
}

// ParseCSR reads a request and checks its signature, that is, that the requester has the key: ErrInvalid when it does not hold.
func ParseCSR(der []byte) (*Request, error) {
	r, err := readRequest(der)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Request) check() error { return checkSigned(r.Public, r.algorithm, r.info, r.signature) }

func readRequest(der []byte) (*Request, error) {
	if len(der) > maxRequest {
		return nil, malformed("request of " + size(len(der)))
	}
	in := cryptobyte.String(der)
	var whole, info, body, subject, public cryptobyte.String
	var version int
	r := &Request{Requested: map[string][]byte{}}
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1Element(&info, cbasn1.SEQUENCE) {
		return nil, malformed("request")
	}
	r.info = info
	var err error
	if r.algorithm, err = readIdentifier(&whole); err != nil {
		return nil, err
	}
	if !whole.ReadASN1BitStringAsBytes(&r.signature) || !whole.Empty() {
		return nil, malformed("request signature")
	}
	info.ReadASN1(&body, cbasn1.SEQUENCE)
	if !body.ReadASN1Integer(&version) || version != 0 || !body.ReadASN1Element(&subject, cbasn1.SEQUENCE) || !body.ReadASN1Element(&public, cbasn1.SEQUENCE) {
		return nil, malformed("request subject or key")
	}
	r.SubjectDER, r.Public = subject, public
	if r.Subject, err = names.Parse(subject); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var attributes cryptobyte.String
	var has bool
	if !body.ReadOptionalASN1(&attributes, &has, explicit(0)) || !body.Empty() {
		return nil, malformed("request attributes")
	}
	list, err := readAttributes(attributes)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if !a.oid.Equal(oidExtensionRequest) {
			continue
		}
		if len(a.values) != 1 {
			return nil, malformed("extension request")
		}
		value := cryptobyte.String(a.values[0])
		if r.extensions, err = readExtensions(&value); err != nil {
			return nil, err
		}
		var damaged []extension
		if r.Extensions, damaged = readRequested(r.extensions); len(damaged) > 0 {
			return nil, malformed("extension " + damaged[0].oid.String())
		}
		for _, e := range r.extensions {
			r.Requested[e.oid.String()] = e.value
		}
	}
	return r, nil
}
