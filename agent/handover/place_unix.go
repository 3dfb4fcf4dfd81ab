//go:build unix

package handover

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
)

// Place is where the service and the agents of one machine meet.
type Place struct {
	Folder  string   // each person has a folder in it, named by number, with the agent's socket
	Doormen []string // the users, by number, from whom an agent takes connections
}

func (p Place) folder(id string) string { return filepath.Join(p.Folder, id) }

func (p Place) socket(id string) string { return filepath.Join(p.Folder, id, "agent.sock") }

// place names whom agents take connections from: the service's account, if there is one, and root, who can do everything anyway.
func place(folder string) (Place, error) {
	p := Place{Folder: folder, Doormen: []string{"0"}}
	account, err := user.Lookup(Account)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("look for the service's account: %w", err)
	}
	p.Doormen = append(p.Doormen, account.Uid)
	return p, nil
}
