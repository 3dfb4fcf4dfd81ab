package ceremony

import (
	"fmt"
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

// digestAlgorithm reads a digest's name.
func digestAlgorithm(member, name string) (tokens.Hash, error) {
	h := tokens.Hash(name)
	if h == "" {
		h = tokens.SHA256
	}
	if h.Size() == 0 {
		return "", &api.Error{Reason: api.AlgorithmUnsupported, Member: member}
	}
	return h, nil
}

// digestFor reads the name of the digest that a key is to sign. A GOST key has its own and takes no other, and no other key takes that.
func digestFor(key tokens.KeyAlgorithm, member, name string) (tokens.Hash, error) {
	own := tokens.HashOf(key)
	if name == "" && key.IsGOST() {
		return own, nil
	}
	h, err := digestAlgorithm(member, name)
	if err == nil && h != own && (key.IsGOST() || h == tokens.Streebog256 || h == tokens.Streebog512) {
		err = &api.Error{Reason: api.AlgorithmUnsupported, Member: member, Err: fmt.Errorf("a key of kind %s does not sign %s", key, h.Name())}
	}
	return h, err
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
	case tokens.GOST2012256, tokens.GOST2012512:
		if padding != "" {
			return 0, wrong("padding", "%q is for RSA keys", padding)
		}
		return tokens.GOST, nil
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
