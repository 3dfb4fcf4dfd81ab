package signature

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// signerInfo is SignerInfo (RFC 5652 section 5.3) up to the signature; unsigned attributes are passed over.
type signerInfo struct {
	version    int
	issuer     []byte
	serial     []byte
	keyID      []byte // instead of issuer and serial
	digest     identifier
	attributes []attribute // nil when there are none
	signed     []byte      // the octets that were signed: DER SET OF
	algorithm  identifier
	signature  []byte
}

func (v *verifier) signerInfo() (*signerInfo, error) {
	s := &signerInfo{}
	var err error
	if s.version, err = v.integer(); err != nil {
		return nil, err
	}
	der, err := v.small("signer identifier", sequenceTag, tagKeyIdentifier)
	if err != nil {
		return nil, err
	}
	in := cryptobyte.String(der)
	var seq, issuer, serial cryptobyte.String
	if in.PeekASN1Tag(tagKeyIdentifier) {
		in.ReadASN1(&seq, tagKeyIdentifier)
		s.keyID = seq
	} else {
		in.ReadASN1(&seq, sequenceTag)
		if !seq.ReadASN1Element(&issuer, sequenceTag) || !seq.ReadASN1(&serial, cbasn1.INTEGER) || !seq.Empty() {
			return nil, malformed("signer identifier")
		}
		s.issuer, s.serial = issuer, serial
	}
	if s.version != 1 && s.keyID == nil || s.version != 3 && s.keyID != nil {
		return nil, malformed("signer version")
	}
	if s.digest, err = v.identifier(); err != nil {
		return nil, err
	}
	h, err := v.expect("signerInfo", tagSignedAttrs, sequenceTag)
	if err != nil {
		return nil, err
	}
	if h.tag == tagSignedAttrs {
		der, err := v.read(h, maxSigned)
		if err != nil {
			return nil, err
		}
		in := cryptobyte.String(der)
		var set cryptobyte.String
		in.ReadASN1(&set, tagSignedAttrs)
		if s.attributes, err = readAttributes(set); err != nil {
			return nil, err
		}
		if len(s.attributes) == 0 {
			return nil, malformed("empty signed attributes")
		}
		s.signed = element(setTag, attributeSet(s.attributes))
		if h, err = v.expect("signature algorithm", sequenceTag); err != nil {
			return nil, err
		}
	}
	if der, err = v.read(h, maxSmall); err != nil {
		return nil, err
	}
	in = cryptobyte.String(der)
	if s.algorithm, err = readIdentifier(&in); err != nil {
		return nil, err
	}
	if der, err = v.small("signature value", cbasn1.OCTET_STRING, octetsPieces); err != nil {
		return nil, err
	}
	in = cryptobyte.String(der)
	in.ReadASN1(&seq, cbasn1.OCTET_STRING)
	s.signature = seq
	switch h, more, err := v.next(); {
	case err != nil:
		return nil, err
	case !more:
		return s, nil
	case h.tag != tagUnsignedAttrs:
		return nil, malformed("signerInfo")
	default:
		if err := v.skip(h); err != nil {
			return nil, err
		}
	}
	return s, v.leave("signerInfo")
}

func (v *verifier) identifier() (identifier, error) {
	der, err := v.small("algorithm", sequenceTag)
	if err != nil {
		return identifier{}, err
	}
	in := cryptobyte.String(der)
	return readIdentifier(&in)
}
