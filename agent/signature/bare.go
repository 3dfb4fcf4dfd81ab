package signature

import cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

// bare says whether a signature over the document itself, without signed attributes, may stand (RFC 5652 section 5.4). Such a signature says
// nothing of what it is over: the signed attributes of another signature, taken for a document, have it already. So the document must be here
// to be looked at, plain data, and no set of attributes.
func (v *verifier) bare(sum []byte) error {
	switch {
	case !v.contentType.Equal(oidData) || !v.report.Attached:
		return malformed("no signed attributes")
	case LikeAttributes(v.head):
		return malformed("the document is what somebody signed about another one")
	case len(sum) == 0:
		return ErrDigest
	}
	return nil
}

// LikeAttributes: the octets begin as signed attributes do, SET OF SEQUENCE { OBJECT IDENTIFIER, whatever the lengths say.
func LikeAttributes(head []byte) bool {
	for _, tag := range []cbasn1.Tag{cbasn1.SET, cbasn1.SEQUENCE} {
		if len(head) < 2 || head[0] != byte(tag) {
			return false
		}
		skip := 2
		if head[1] > 0x80 {
			skip += int(head[1] & 0x7f)
		}
		head = head[min(skip, len(head)):]
	}
	return len(head) > 0 && head[0] == byte(cbasn1.OBJECT_IDENTIFIER)
}

// beginning keeps as many octets as LikeAttributes may look at.
type beginning []byte

func (b *beginning) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), 2*maxHeader+1-len(*b))]...)
	return len(p), nil
}
