package ceremony

import (
	"bytes"
	"fmt"
	"mime"
	"slices"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
)

// A key that signs documents for one site and signs in, or renews, at another must not sign the one as the other. What Pero signs
// by itself begins in a way that no site may ask for as a document:
//
//   - authenticate: authPrefix stands before the digests. As it is recognised only in octets that Pero sees, a raw signature over a digest
//     of unseen content is a permission of its own: sites.raw of the configuration;
//   - CMS, and so CAdES and renewals: the DER SET of the signed attributes, which a raw signature would make of any document;
//   - renew.begin: the mime-type attribute requestType, which documents of a site do not get.
const (
	authPrefix  = "pero-auth:1\n"
	requestType = "application/pkcs10"
	headLength  = 32 // octets of a document that are looked at
)

// keepApart refuses what a site could pass off as something else than a document.
func (a *Agent) keepApart(c api.Caller, format string, d *document, member string) error {
	if c.Origin == "" {
		return nil
	}
	if t, _, _ := mime.ParseMediaType(d.mediaType); t == requestType {
		d.mediaType = ""
	}
	switch {
	case format != raw:
	case d.size < 0 && !slices.Contains(a.rawDigests, c.Origin):
		return &api.Error{Reason: api.AlgorithmUnsupported, Member: member + ".digest",
			Err: fmt.Errorf("%s may not have digests of unseen content signed raw: sites.raw does not name it", c.Origin)}
	case bytes.HasPrefix(d.head, []byte(authPrefix)), signature.LikeAttributes(d.head):
		return wrong(member, "its octets are those of another kind of signature")
	}
	return nil
}
