package tokens

import (
	"context"
	"fmt"
	"time"
)

// Act is what a person is asked to agree to.
type Act string

// Acts.
const (
	ActSign         Act = "sign"
	ActAuthenticate Act = "authenticate"
	ActEnroll       Act = "enroll"   // make a key, request a certificate
	ActRenew        Act = "renew"    // sign the application with the old key
	ActComplete     Act = "complete" // write the issued certificate, prove it by a test signature
	ActDiscard      Act = "discard"  // delete the unused key of an abandoned enrolment
	ActBackup       Act = "backup"
	ActRestore      Act = "restore"
	ActChangePIN    Act = "pin_change"
	ActResetPIN     Act = "pin_reset" // set it without knowing it
	ActInitialize   Act = "initialize"
	ActDelete       Act = "delete" // a key, a certificate
	ActImport       Act = "import"
	ActAccess       Act = "access" // may this site talk to Pero at all; no token, no PIN
)

// Prompt is everything the window shows beside the PIN field. All of it is data: the window turns it into words. Texts that a page
// supplied (document names, the subject) are shown as the site's claim, escaped and cut by the window.
type Prompt struct {
	Act       Act
	Origin    string // "https://portal.example"; "" when the person started it from the command line
	Purpose   string // why, as claimed by the site
	Language  string // "ru" or "en"
	Token     Token  // which token is asked for its PIN; filled in by whoever opens
	Holder    string // whose certificate: common name; "" for a new key
	Issuer    string
	NotAfter  time.Time // end of the certificate
	Documents []PromptDocument
	Subject   []PromptField // what a request will say, for ActEnroll and ActRenew
	Key       KeyAlgorithm  // of a new key
	Hold      time.Duration // how long the login stays for the step that follows; 0 when it ends with this act
	Name      string        // that the token will have, for ActInitialize
	Lost      []PromptLoss  // what will be deleted, for ActInitialize and ActDelete
	Keys      int           // how many keys come to the token, for ActImport
	PINs      int           // how many times the PIN will be asked (CKA_ALWAYS_AUTHENTICATE); 0 or 1: once
}

// PromptDocument is one document of the listed set.
type PromptDocument struct {
	Name   string // as claimed by the site
	Size   int64  // octets; -1 when only a digest was given and the content was never seen
	SHA256 string // hex; the given digest when the content was never seen
	Hash   Hash   // of that given digest; "" for SHA-256
}

// PromptLoss is a key or a certificate that will be no more.
type PromptLoss struct {
	Key      bool
	Name     string    // the certificate's holder, or the key's label
	Issuer   string    // of a certificate
	NotAfter time.Time // its end
}

// PromptField is one line of a subject: the protocol's member name and its value.
type PromptField struct{ Name, Value string }

// PersonTime is how long one window waits for the person.
const PersonTime = 5 * time.Minute

// WaitForPerson has ask wait for an answer for so long at most. ErrTimedOut when there was none; the end of ctx is ctx's own error.
func WaitForPerson(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	limited, stop := context.WithTimeout(ctx, limit)
	defer stop()
	err := ask(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("%w: %w", ErrTimedOut, err)
	}
	return err
}
