package host

import (
	"log/slog"
	"time"

	"github.com/perosign/pero/tokens"
)

// Options describe one module in its child processes.
type Options struct {
	// Command starts a child: a program, absolute, and its arguments; it is to call Serve with its standard input and output.
	Command  []string
	Module   Module
	Window   WindowConfig
	Language string // "ru" or "en", for windows whose Prompt names none
	Log      *slog.Logger

	limits limits
}

// Module says what a child is to open.
type Module struct {
	Name       string // as configured, shown to people
	Kind       string // "pkcs11" or "file"
	Path       string // of the library, or of the folder of key stores
	Parameters string // of the library's C_Initialize
}

// WindowConfig says how a child asks the person.
type WindowConfig struct {
	Pinentry string // absolute path of a program that speaks pinentry's Assuan; "" to find one
	Dialog   string // absolute path of a zenity-compatible program for file dialogs; "" to find one
}

// limits are how long a child may take before it counts as hung. A person's time counts apart.
type limits struct {
	list     time.Duration // Tokens, Objects, Keys
	load     time.Duration // added to the first call of a child
	login    time.Duration // also the time before the window
	sign     time.Duration
	generate time.Duration // RSA-4096 on a card takes minutes
	close    time.Duration
	silence  time.Duration // without an answer to a ping
	person   time.Duration // one window
	tick     time.Duration // of the watchdog
	grace    time.Duration // between "stop" and the kill
	look     time.Duration // after which it is looked whether the token of a call is still there, and again
	rest     time.Duration // after a crash that is waited for by whoever asks for the list
	spare    time.Duration // that a child waits for the act it was started for
	next     time.Duration // that one waits for an act that may follow another
}

func (l limits) orDefault() limits {
	if l == (limits{}) {
		return limits{
			list: 5 * time.Second, load: 5 * time.Second, login: time.Minute, sign: 2 * time.Minute, generate: 5 * time.Minute, close: 10 * time.Second,
			silence: 15 * time.Second, person: tokens.PersonTime, tick: time.Second, grace: time.Second, look: 2 * time.Second, rest: firstPause, spare: 3 * time.Second, next: 20 * time.Second,
		}
	}
	return l
}
