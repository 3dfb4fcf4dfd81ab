package api

import "time"

// The messages of protocol version 1: parameters and results, one pair per method. Members are matched exactly: unknown,
// duplicate or wrongly cased ones are refused. []byte is standard base64 with padding; times are RFC 3339 in UTC.

type (
	HelloParams struct {
		Client string `json:"client,omitempty"` // the page's name for its client, for the log
	}
	HelloResult struct {
		Product  string   `json:"product"` // "pero"
		Version  string   `json:"version"`
		Protocol int      `json:"protocol"` // 1
		Features []string `json:"features"`
		Access   string   `json:"access"` // granted, ask, blocked
	}

	AccessParams struct {
		Purpose string `json:"purpose,omitempty"` // shown as the site's claim
	}
	AccessResult struct {
		Access string     `json:"access"` // granted
		Until  *time.Time `json:"until,omitempty"`
	}

	SubscribeParams struct {
		Events []string `json:"events"` // tokens, certificates
	}

	TokensResult struct {
		Tokens []Token `json:"tokens"`
	}

	CertificatesParams struct {
		Usable        *bool    `json:"usable,omitempty"` // true: only those that can sign now; false: only the others
		KeyAlgorithms []string `json:"keyAlgorithms,omitempty"`
		Issuers       []string `json:"issuers,omitempty"` // issuer common names
	}
	CertificatesResult struct {
		Certificates []Certificate `json:"certificates"`
	}

	CertificateParams struct {
		Certificate string `json:"certificate"` // SHA-256 of the DER, hex
	}
	StatusResult struct {
		Status        string     `json:"status"` // valid expiring expired not_yet_valid revoked untrusted unknown
		ExpiresInDays *int       `json:"expiresInDays,omitempty"`
		RevokedAt     *time.Time `json:"revokedAt,omitempty"`
		Reason        string     `json:"reason,omitempty"` // RFC 5280 name of the revocation reason: keyCompromise...
		Source        *string    `json:"source"`           // ocsp, crl or null
		CheckedAt     time.Time  `json:"checkedAt"`
		Chain         [][]byte   `json:"chain"` // leaf first
	}
	ExportResult struct {
		DER   []byte   `json:"der"`
		PEM   string   `json:"pem"`
		Chain [][]byte `json:"chain"` // issuers known, leaf not included
	}

	SignParams struct {
		Certificate string     `json:"certificate"`
		Format      string     `json:"format"`              // cades, raw
		Packaging   string     `json:"packaging,omitempty"` // detached (default), attached
		Level       string     `json:"level,omitempty"`     // B (default)
		Digest      string     `json:"digest,omitempty"`    // sha256 (default), sha384, sha512; a GOST key has its own, streebog256 or streebog512
		Padding     string     `json:"padding,omitempty"`   // RSA keys: pkcs1 (default), pss
		Documents   []Document `json:"documents"`
		RequestID   string     `json:"requestId,omitempty"`
	}
	// Document carries its content in exactly one of three ways.
	Document struct {
		ID        string  `json:"id"`
		Name      string  `json:"name"`
		MediaType string  `json:"mediaType,omitempty"`
		Content   []byte  `json:"content,omitzero"` // an empty document is present and empty
		Upload    *uint32 `json:"upload,omitempty"`
		Digest    *Digest `json:"digest,omitempty"`
	}
	Digest struct {
		Algorithm string `json:"algorithm"` // sha256 sha384 sha512 streebog256 streebog512
		Value     []byte `json:"value"`
	}
	SignResult struct {
		Results     []Signature `json:"results"`
		Certificate Certificate `json:"certificate"`
	}
	// Signature is the answer for one document: the octets themselves, or a download when they are larger than 512 KiB.
	Signature struct {
		ID        string    `json:"id"`
		Signature []byte    `json:"signature,omitempty"`
		Download  *Download `json:"download,omitempty"`
		HashedBy  string    `json:"hashedBy,omitempty"` // who made the digest that was signed: agent, or the token itself
		Error     *Error    `json:"error,omitempty"`
	}
	// Download is fetched by documents.fetch, once, on the same connection.
	Download struct {
		Number uint32 `json:"number"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"` // hex
	}

	// OpenDocumentParams: the agent keeps the content of an attached document (or of one whose packaging is not said) in a private
	// temporary file, of a detached one only its digest.
	OpenDocumentParams struct {
		Name      string `json:"name"`
		Size      int64  `json:"size"`
		MediaType string `json:"mediaType,omitempty"`
		Packaging string `json:"packaging,omitempty"` // detached, attached
		Digest    string `json:"digest,omitempty"`    // the digest the signature will use, sha256 when absent
	}
	OpenDocumentResult struct {
		Upload uint32 `json:"upload"`
	}
	CloseDocumentParams struct {
		Upload uint32 `json:"upload"`
	}
	CloseDocumentResult struct {
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	}
	FetchDocumentParams struct {
		Download uint32 `json:"download"`
	}

	EnrollParams struct {
		Token      string      `json:"token"`
		Key        KeyParams   `json:"key"`
		Subject    Subject     `json:"subject"`
		Extensions *Extensions `json:"extensions,omitempty"`
		RequestID  string      `json:"requestId"`
	}
	KeyParams struct {
		Algorithm    string `json:"algorithm"`
		ParameterSet string `json:"parameterSet,omitempty"`
	}
	Extensions struct {
		KeyUsage              []string         `json:"keyUsage,omitempty"`
		ExtendedKeyUsage      []string         `json:"extendedKeyUsage,omitempty"`    // dotted OIDs
		CertificatePolicies   []string         `json:"certificatePolicies,omitempty"` // dotted OIDs
		SubjectAltName        *AltName         `json:"subjectAltName,omitempty"`
		SubjectSignTool       string           `json:"subjectSignTool,omitempty"`
		IdentificationKind    *int             `json:"identificationKind,omitempty"`
		PrivateKeyUsagePeriod *PrivateKeyUsage `json:"privateKeyUsagePeriod,omitempty"`
	}
	AltName struct {
		Email []string `json:"email,omitempty"`
		DNS   []string `json:"dns,omitempty"`
	}
	PrivateKeyUsage struct {
		NotBefore *time.Time `json:"notBefore,omitempty"`
		NotAfter  *time.Time `json:"notAfter,omitempty"`
	}
	EnrollResult struct {
		Enrollment string `json:"enrollment"`
		CSR        []byte `json:"csr"`
	}
	CompleteParams struct {
		Enrollment   string   `json:"enrollment"`
		Certificates [][]byte `json:"certificates"` // DER certificates or one PKCS#7 (certificates only)
	}
	CompleteResult struct {
		Certificate Certificate `json:"certificate"`
	}
	EnrollmentsResult struct {
		Enrollments []Enrollment `json:"enrollments"`
	}
	Enrollment struct {
		Enrollment string    `json:"enrollment"`
		Token      string    `json:"token"`
		State      string    `json:"state"` // planned, key_made, requested, received, written
		CreatedAt  time.Time `json:"createdAt"`
		CSR        []byte    `json:"csr,omitempty"`
		Renews     string    `json:"renews,omitempty"` // id of the certificate that a renewal replaces
	}
	EnrollmentParams struct {
		Enrollment string `json:"enrollment"`
	}
	RenewParams struct {
		Certificate string      `json:"certificate"`
		Token       string      `json:"token,omitempty"` // where the new key is made; the old key's token when absent
		Key         *KeyParams  `json:"key,omitempty"`   // the old key's algorithm when absent
		Extensions  *Extensions `json:"extensions,omitempty"`
		RequestID   string      `json:"requestId"`
	}
	RenewResult struct {
		Enrollment    string `json:"enrollment"`
		CSR           []byte `json:"csr"`
		SignedRequest []byte `json:"signedRequest"` // CMS SignedData, attached, over the CSR by the old key
	}

	AuthenticateParams struct {
		Certificate string `json:"certificate"`
		Challenge   []byte `json:"challenge"` // at least 32 octets
	}
	// AuthenticateResult: token is a JSON object {format:"pero-auth:1", algorithm, certificate, signature}, base64; signature over
	// "pero-auth:1\n" || hash(origin) || hash(challenge), each by the algorithm's hash.
	AuthenticateResult struct {
		Token []byte `json:"token"`
	}

	VerifyParams struct {
		Signature []byte  `json:"signature,omitempty"`
		Upload    *uint32 `json:"upload,omitempty"` // a signature too large for a frame
		Document  []byte  `json:"document,omitzero"`
		// DocumentUpload is a detached document too large for a frame, opened with its content kept.
		DocumentUpload *uint32 `json:"documentUpload,omitempty"`
		Digest         *Digest `json:"digest,omitempty"` // of the detached document, instead of its content
		Format         string  `json:"format"`           // cades
	}
	VerifyResult struct {
		Valid   bool           `json:"valid"` // every signer's signature holds over the document
		Signers []SignerReport `json:"signers"`
	}
	SignerReport struct {
		Valid       bool         `json:"valid"`
		Problem     string       `json:"problem,omitempty"` // a reason: signature_invalid, digest_mismatch, certificate_mismatch, algorithm_unsupported
		Certificate *Certificate `json:"certificate,omitempty"`
		SigningTime *time.Time   `json:"signingTime,omitempty"` // as claimed by the signer
		Digest      string       `json:"digest"`
		Level       string       `json:"level,omitempty"` // B, or "" for plain CMS
	}

	BackupParams struct {
		Token string `json:"token"`
	}
	RestoreResult struct {
		Token Token `json:"token"`
	}
	PINParams struct {
		Token string `json:"token"`
	}
	CancelParams struct {
		ID RequestID `json:"id"`
	}
)

// Token is what a page may know of a carrier.
type Token struct {
	ID            string   `json:"id"`
	Label         string   `json:"label"`
	Manufacturer  string   `json:"manufacturer"`
	Model         string   `json:"model"`
	SerialNumber  string   `json:"serialNumber"`
	Reader        string   `json:"reader,omitempty"`
	Carrier       string   `json:"carrier"`
	State         string   `json:"state"`
	Writable      bool     `json:"writable"`
	PINPad        bool     `json:"pinPad"`
	KeyAlgorithms []string `json:"keyAlgorithms"`
	ToBeChanged   bool     `json:"pinToBeChanged,omitzero"` // the PIN is still the one that the token was handed out with
}

// Certificate is what a page may know of a certificate.
type Certificate struct {
	ID               string    `json:"id"` // SHA-256 of the DER, hex
	Token            string    `json:"token"`
	DER              []byte    `json:"der"`
	Subject          Subject   `json:"subject"`
	Issuer           Subject   `json:"issuer"`
	SerialNumber     string    `json:"serialNumber"` // hex
	NotBefore        time.Time `json:"notBefore"`
	NotAfter         time.Time `json:"notAfter"`
	KeyAlgorithm     string    `json:"keyAlgorithm"`
	KeyUsage         []string  `json:"keyUsage"`
	ExtendedKeyUsage []string  `json:"extendedKeyUsage"`
	Qualified        bool      `json:"qualified"`
	HasPrivateKey    bool      `json:"hasPrivateKey"`
}

// Subject is a distinguished name by its members.
type Subject struct {
	CommonName         string `json:"commonName,omitempty"`
	Surname            string `json:"surname,omitempty"`
	GivenName          string `json:"givenName,omitempty"`
	Title              string `json:"title,omitempty"`
	Organization       string `json:"organization,omitempty"`
	OrganizationalUnit string `json:"organizationalUnit,omitempty"`
	Country            string `json:"country,omitempty"`
	StateOrProvince    string `json:"stateOrProvince,omitempty"`
	Locality           string `json:"locality,omitempty"`
	Street             string `json:"street,omitempty"`
	Email              string `json:"email,omitempty"`
	INN                string `json:"inn,omitempty"`
	INNLE              string `json:"innLe,omitempty"`
	SNILS              string `json:"snils,omitempty"`
	OGRN               string `json:"ogrn,omitempty"`
	OGRNIP             string `json:"ogrnip,omitempty"`
}
