package status

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// path holds a chain, leaf first, anchor last, against the rules of RFC 5280 section 6.1 that x509.Verify would hold it against if it knew all
// of its keys. Names, signatures and the right to sign certificates were looked at when the chain was put together. Of the critical extensions
// of the leaf see trusted.
func path(chain []*x509.Certificate, now time.Time) error {
	between := 0 // certificates between the one at hand and the leaf; an authority's new certificate for itself does not count
	for i, c := range chain {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return fmt.Errorf("the certificate of %q is out of date", c.Subject.CommonName)
		}
		if i == 0 {
			continue
		}
		if len(c.UnhandledCriticalExtensions) > 0 {
			return fmt.Errorf("the certificate of %q has the critical extension %s, which is not understood", c.Subject.CommonName, c.UnhandledCriticalExtensions[0])
		}
		// No authority of this kind of key was seen to limit names. One that does is not believed, rather than believed too far.
		if slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) }) {
			return fmt.Errorf("the certificate of %q limits names, which is not understood", c.Subject.CommonName)
		}
		// Who checked the signatures lets certificates of version 1 pass here; the anchor is trusted whatever it says.
		if i < len(chain)-1 && !(c.BasicConstraintsValid && c.IsCA) {
			return fmt.Errorf("the certificate of %q is not one of an authority", c.Subject.CommonName)
		}
		if c.BasicConstraintsValid && c.MaxPathLen >= 0 && between > c.MaxPathLen {
			return fmt.Errorf("too many authorities stand under %q", c.Subject.CommonName)
		}
		if string(c.RawSubject) != string(c.RawIssuer) {
			between++
		}
	}
	return nil
}
