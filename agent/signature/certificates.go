package signature

import (
	"bytes"
	"encoding/pem"
)

// Certificates reads certificates from what an authority sends: one DER certificate, PEM with one or more, or the certificates of a PKCS#7
// (DER, BER, PEM or base64). They are parsed, not judged.
func Certificates(data []byte) ([][]byte, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		return certificatesOf(data)
	}
	var list [][]byte
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS", "PKCS #7 SIGNED DATA":
			found, err := certificatesOf(block.Bytes)
			if err != nil {
				return nil, err
			}
			if list = append(list, found...); len(list) > maxCertificates {
				return nil, malformed("too many certificates")
			}
		}
	}
	if len(list) == 0 {
		return nil, malformed("no certificate in it")
	}
	return list, nil
}

func certificatesOf(data []byte) ([][]byte, error) {
	plain, err := binary(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(plain); err != nil {
		return nil, malformed("base64")
	}
	if _, err := parseCertificate(raw.Bytes()); err == nil {
		return [][]byte{raw.Bytes()}, nil
	}
	v := newVerifier(&raw)
	v.undecided = true
	if err := v.signedData(); err != nil {
		return nil, err
	}
	if len(v.report.Certificates) == 0 {
		return nil, malformed("no certificate in it")
	}
	return v.report.Certificates, nil
}
