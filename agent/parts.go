package main

import (
	"os"
	"path/filepath"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/sites"
)

// unusable says in words what of Pero's own cannot be used and what to do, as doctor does; the cause, in whatever language the system or a
// library has, stands on a line of its own.
func (a *app) unusable(id string, v locale.Values, err error) error {
	id = "cli.doctor." + id
	return worded{a.words.Say(id, v) + ". " + a.words.Say(id+".advice", v) + "\n  (" + err.Error() + ")", err}
}

func (a *app) configuration() (config.Config, error) {
	c, err := config.Load(a.config)
	if err != nil {
		return c, a.unusable("configuration_bad", nil, err)
	}
	return c, nil
}

// stateFolder gives the folder that holds the journal and the grants; it is there.
func stateFolder() (string, error) {
	dir, err := config.StateDir()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	return dir, err
}

func (a *app) state() (string, error) {
	dir, err := stateFolder()
	if err != nil {
		return "", a.unusable("state_bad", locale.Values{"Name": dir}, err)
	}
	return dir, nil
}

func (a *app) grants(c config.Config, state string) (*sites.Sites, error) {
	s, err := sites.Open(state, c.Sites.Allow, c.Sites.Block)
	if err != nil {
		return nil, a.unusable("sites_bad", nil, err)
	}
	return s, nil
}

func (a *app) openJournal(state string) (*journal.Journal, error) {
	j, err := journal.Open(filepath.Join(state, "journal"))
	if err != nil {
		return nil, a.unusable("journal_bad", nil, err)
	}
	return j, nil
}
