package ceremony

import (
	"mime"
	"strings"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Packagings and formats of the protocol.
const (
	attached = "attached"
	detached = "detached"
	cades    = "cades"
	raw      = "raw"
)

// digestAlgorithm reads a digest's name. Streebog has a name in the protocol and no key here that could sign it yet.
func digestAlgorithm(member, name string) (tokens.Hash, error) {
	switch h := tokens.Hash(name); h {
	case "":
		return tokens.SHA256, nil
	case tokens.SHA256, tokens.SHA384, tokens.SHA512:
		return h, nil
	}
	return "", &api.Error{Reason: api.AlgorithmUnsupported, Member: member}
}

// scheme says how a key signs.
func scheme(key tokens.KeyAlgorithm, padding string) (tokens.Scheme, error) {
	switch key {
	case tokens.RSA2048, tokens.RSA3072, tokens.RSA4096:
		switch padding {
		case "", "pkcs1":
			return tokens.RSAPKCS1v15, nil
		case "pss":
			return tokens.RSAPSS, nil
		}
		return 0, &api.Error{Reason: api.AlgorithmUnsupported, Member: "padding"}
	case tokens.ECP256, tokens.ECP384, tokens.ECP521:
		if padding != "" {
			return 0, wrong("padding", "%q is for RSA keys", padding)
		}
		return tokens.ECDSA, nil
	}
	return 0, refuse(api.AlgorithmUnsupported, "a key of kind %q", key)
}

func checkMediaType(member, value string) error {
	if value == "" {
		return nil
	}
	if _, _, err := mime.ParseMediaType(value); err != nil || len(value) > maxText || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
		return wrong(member, "not a media type")
	}
	return nil
}
