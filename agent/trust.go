package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/trust"
)

// trustEvery is how often a running agent looks whether its certificate ends.
const trustEvery = 24 * time.Hour

// trustMakerCommand is how a child of this program makes a local certificate. It is no command for people.
const trustMakerCommand = "trust-maker"

func trustMaker(in io.Reader, out, log io.Writer) int {
	if err := trust.Make(in, out); err != nil {
		fmt.Fprintln(log, "pero "+trustMakerCommand+":", err)
		return exitFailed
	}
	return exitOK
}

// maker has a child make the certificate, so that the root's key is gone with it.
func maker() trust.Maker {
	return func(ctx context.Context, now time.Time) (*trust.Authority, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return trust.Child(self, trustMakerCommand)(ctx, now)
	}
}

// trusted is the answer of "pero trust status".
type trusted struct {
	Certificate *localCertificate `json:"certificate"` // null: not made yet, or cannot be used
	Stores      []trustStore      `json:"stores"`
	err         error             // of a certificate that lies there and is none
}

// localCertificate is the root: its SHA-256, and until when there is a certificate under it to serve.
type localCertificate struct {
	SHA256 string    `json:"sha256"`
	Name   string    `json:"name"`
	Until  time.Time `json:"until"`
}

type trustStore struct {
	Store   string      `json:"store"`
	Kind    trust.Kind  `json:"kind"`
	State   trust.State `json:"state"`
	Message string      `json:"message,omitempty"` // why it is unreadable
	err     error
}

func (a *app) trustCommand() *cobra.Command {
	parent := a.command("trust", "", 0, 0, nil)
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	parent.AddCommand(
		a.command("trust.install", "", 0, 0, func(ctx context.Context, _ []string) error { return a.trustInstall(ctx) }),
		a.command("trust.uninstall", "", 0, 0, func(ctx context.Context, _ []string) error { return a.trustUninstall(ctx) }),
		a.answersJSON(a.command("trust.status", "", 0, 0, func(ctx context.Context, _ []string) error { return a.trustStatus(ctx) })),
	)
	return parent
}

// trustInstall says what it will do, does it, and says store by store what came of it.
func (a *app) trustInstall(ctx context.Context) error {
	folder, err := config.StateDir()
	if err != nil {
		return err
	}
	stores, err := trust.Stores(false)
	if err != nil {
		return err
	}
	if len(stores) == 0 {
		return worded{a.words.Say("cli.trust.no_stores"), errors.New("no stores")}
	}
	a.announce("cli.trust.will_install", stores)
	results, err := trust.Install(ctx, folder, maker(), stores, time.Now())
	if err != nil {
		return err
	}
	return a.told(results, "cli.trust.installed", "cli.trust.installed_before")
}

// trustUninstall needs no certificate: it finds every root of Pero's, also of an agent that is gone.
func (a *app) trustUninstall(ctx context.Context) error {
	stores, err := trust.Stores(false)
	if err != nil {
		return err
	}
	if len(stores) == 0 {
		_, err := fmt.Fprintln(a.out, a.words.Say("cli.trust.no_stores_left"))
		return err
	}
	a.announce("cli.trust.will_uninstall", stores)
	return a.told(trust.Uninstall(ctx, stores), "cli.trust.uninstalled", "cli.trust.uninstalled_before")
}

// announce says what is about to be done, and whether the system will ask about it.
func (a *app) announce(id string, stores []trust.Store) {
	fmt.Fprintln(a.out, a.words.Say(id))
	asks := false
	for _, s := range stores {
		fmt.Fprintf(a.out, "  %s\n", a.storeName(s))
		asks = asks || s.Asks()
	}
	if asks {
		fmt.Fprintln(a.out, a.words.Say("cli.trust.asks"))
	}
}

// told says what was done; a failure has its next step and exit code 1.
func (a *app) told(results []trust.Result, changed, same string) error {
	failed, any := false, false
	for _, r := range results {
		id := same
		if r.Changed {
			id, any = changed, true
		}
		if r.Err == nil {
			fmt.Fprintf(a.out, "+ %s: %s\n", a.storeName(r.Store), a.words.Say(id))
			continue
		}
		failed = true
		fmt.Fprintf(a.out, "! %s: %s\n", a.storeName(r.Store), a.storeError(r.Err))
	}
	if any {
		fmt.Fprintln(a.out, a.words.Say("cli.trust.restart"))
	}
	if failed {
		return errSaid{exitFailed}
	}
	return nil
}

// trustStatus ends with 1 when there is a store that does not trust the certificate.
func (a *app) trustStatus(ctx context.Context) error {
	t, err := trustOf(ctx)
	if err != nil {
		return err
	}
	everywhere := len(t.Stores) > 0
	for i, s := range t.Stores {
		everywhere = everywhere && s.State == trust.Trusted
		if s.err != nil {
			t.Stores[i].Message = a.storeError(s.err)
		}
	}
	err = a.emit(t, func(w io.Writer) {
		if t.Certificate == nil {
			fmt.Fprintln(w, a.words.Say("cli.trust.no_certificate"))
		} else {
			fmt.Fprintln(w, a.words.Say("cli.trust.certificate", locale.Values{"Name": t.Certificate.Name, "Date": a.time(t.Certificate.Until), "Print": t.Certificate.SHA256}))
		}
		if len(t.Stores) == 0 {
			fmt.Fprintln(w, a.words.Say("cli.trust.no_stores"))
		}
		for _, s := range t.Stores {
			text := s.Message
			if text == "" {
				text = a.words.Say("cli.trust.state." + string(s.State))
			}
			fmt.Fprintf(w, "  %s: %s\n", a.placeName(s.Kind, s.Store), text)
		}
		if !everywhere {
			fmt.Fprintln(w, a.words.Say("cli.trust.next"))
		}
	})
	if err == nil && !everywhere {
		err = errSaid{exitFailed}
	}
	return err
}

// trustOf looks at the certificate and at each store. A certificate that cannot be used is as good as none.
func trustOf(ctx context.Context) (trusted, error) {
	folder, err := config.StateDir()
	if err != nil {
		return trusted{}, err
	}
	t := trusted{Stores: []trustStore{}}
	authority, err := trust.Read(folder)
	switch {
	case err == nil && authority.At(time.Now()):
		print := sha256.Sum256(authority.Root.Raw)
		t.Certificate = &localCertificate{SHA256: hex.EncodeToString(print[:]), Name: authority.Root.Subject.CommonName, Until: authority.End()}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		t.err = err
	default:
		authority = nil
	}
	stores, err := trust.Stores(true)
	for _, s := range stores {
		state, err := trust.StateOf(ctx, s, authority)
		t.Stores = append(t.Stores, trustStore{Store: s.Place(), Kind: s.Kind(), State: state, err: err})
	}
	return t, err
}

func (a *app) storeName(s trust.Store) string { return a.placeName(s.Kind(), s.Place()) }

func (a *app) placeName(kind trust.Kind, place string) string {
	return a.words.Say("cli.trust.kind."+string(kind)) + " (" + visible(place) + ")"
}

// storeError says the next step where there is one.
func (a *app) storeError(err error) string {
	switch {
	case errors.Is(err, trust.ErrTool):
		return a.words.Say("cli.trust.no_tool")
	case errors.Is(err, trust.ErrPassword):
		return a.words.Say("cli.trust.locked")
	}
	return a.words.Say("cli.trust.failed", locale.Values{"Cause": err.Error()})
}

// localTLS gives the configuration of wss:// on the agent's port, and keeps its certificate good until ctx ends. nil when there can be
// none: pages come by ws:// all the same.
func localTLS(ctx context.Context, log *slog.Logger) *tls.Config {
	folder, err := config.StateDir()
	if err != nil {
		log.Warn("no TLS on the port", "reason", err.Error())
		return nil
	}
	_, why, err := trust.Ensure(ctx, folder, maker(), time.Now())
	if why != nil {
		log.Warn("the local certificate was made anew, and has to be trusted anew: pero trust install", "reason", why.Error())
	}
	if err != nil {
		log.Warn("no TLS on the port", "reason", err.Error())
		return nil
	}
	go keepTrusted(ctx, folder, log)
	return trust.Config(folder, time.Now)
}

func keepTrusted(ctx context.Context, folder string, log *slog.Logger) {
	tick := time.NewTicker(trustEvery)
	defer tick.Stop()
	for {
		stores, err := trust.Stores(true)
		renewed := false
		if err == nil {
			renewed, err = trust.Renew(ctx, folder, maker(), stores, time.Now())
		}
		if renewed {
			log.Info("the local certificate was renewed")
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("the local certificate ends soon: pero trust install", "reason", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
