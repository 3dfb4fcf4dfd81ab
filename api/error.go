package api

// Reason is the contract of an error: append-only.
type Reason string

// Reasons.
const (
	BadRequest           Reason = "bad_request"
	UnknownMethod        Reason = "unknown_method"
	OriginRefused        Reason = "origin_refused"
	AccessDenied         Reason = "access_denied"
	AccessBlocked        Reason = "access_blocked"
	UserCancelled        Reason = "user_cancelled"
	TimedOut             Reason = "timed_out"
	Busy                 Reason = "busy"
	RateLimited          Reason = "rate_limited"
	TokenNotFound        Reason = "token_not_found"
	TokenRemoved         Reason = "token_removed"
	TokenBusy            Reason = "token_busy"
	TokenFull            Reason = "token_full"
	TokenReadOnly        Reason = "token_read_only"
	PINIncorrect         Reason = "pin_incorrect"
	PINLocked            Reason = "pin_locked"
	PINNotSet            Reason = "pin_not_set"
	PINExpired           Reason = "pin_expired"
	PINPolicy            Reason = "pin_policy"
	PUKIncorrect         Reason = "puk_incorrect"
	PUKLocked            Reason = "puk_locked"
	CertificateNotFound  Reason = "certificate_not_found"
	CertificateExpired   Reason = "certificate_expired"
	KeyExpired           Reason = "key_expired"
	KeyNotFound          Reason = "key_not_found"
	KeyUsageMismatch     Reason = "key_usage_mismatch"
	AlgorithmUnsupported Reason = "algorithm_unsupported"
	DocumentTooLarge     Reason = "document_too_large"
	DocumentChanged      Reason = "document_changed"
	DigestMismatch       Reason = "digest_mismatch"
	CertificateMismatch  Reason = "certificate_mismatch"
	EnrollmentNotFound   Reason = "enrollment_not_found"
	Conflict             Reason = "conflict"
	ModuleCrashed        Reason = "module_crashed"
	SignatureInvalid     Reason = "signature_invalid"
	TokenFaulty          Reason = "token_faulty"
	ContainerForeign     Reason = "container_foreign"
	TokenFailed          Reason = "token_failed"
	NoUserSession        Reason = "no_user_session"
	NoWindow             Reason = "no_window"
	StorageFailed        Reason = "storage_failed"
	Internal             Reason = "internal"
)

// Error is a refusal or failure as the page sees it. Message is for people, in the language of the agent: what failed, whose doing it
// is, the next step.
type Error struct {
	Reason  Reason `json:"reason"`
	Message string `json:"message"`
	Member  string `json:"member,omitempty"` // bad_request: the member that was wrong, "subject.inn"
	// Outcome is OutcomeUnknown where the failure leaves open what the token did. Otherwise it is "".
	Outcome string `json:"outcome,omitempty"`
	Err     error  `json:"-"` // the cause, for the log
}

func (e *Error) Error() string {
	s := string(e.Reason)
	if e.Member != "" {
		s += " (" + e.Member + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
