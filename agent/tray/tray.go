package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
)

const (
	// again is how long after a failure the agent is looked for anew.
	again = time.Second
	// settle is how long the agent may be away before the icon says so: one that is started anew is back by then.
	settle = 3 * time.Second
	// answer is how long the agent has for what the menu asks.
	answer = 30 * time.Second
	// errand is how long the person has for windows that the menu opened.
	errand = 30 * time.Minute
)

// tray is the icon, its menu and its notices.
type tray struct {
	words *locale.Locale
	quit  func()

	menu    menu
	notices notices
	pages   pages
}

// run draws states until ctx ends.
func (t *tray) run(ctx context.Context) {
	t.notices = newNotices(t.words)
	go t.notices.run(ctx)
	go func() {
		if !iconsShown(ctx) {
			fmt.Fprintln(os.Stderr, "pero-tray: "+t.words.Say("tray.no_tray"))
		}
	}()
	states := make(chan local.State)
	go t.follow(ctx, states)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-states:
			t.menu.draw(s.Status, s.Headline(t.words), literal(t.entries(s), keyMark(ctx)))
			t.notices.take(s, time.Now())
		}
	}
}

// follow sends each state of the agent, for as long as it takes to find one.
func (t *tray) follow(ctx context.Context, states chan<- local.State) {
	send := func(s local.State) {
		select {
		case states <- s:
		case <-ctx.Done():
		}
	}
	lost, told := time.Now(), false
	for ctx.Err() == nil {
		err := t.attend(ctx, func(s local.State) {
			lost, told = time.Now(), false
			send(s)
		})
		if !told && (time.Since(lost) > settle || errors.Is(err, local.ErrForeign)) {
			told = true
			send(local.Unreached(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// attend stays with one agent until it goes.
func (t *tray) attend(ctx context.Context, send func(local.State)) error {
	c, err := local.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var s local.State
	for {
		if s, err = c.State(ctx, local.StateParams{After: s.Revision}); err != nil {
			return err
		}
		send(s)
	}
}

// ask asks the agent for something.
func (t *tray) ask(do func(ctx context.Context, c *local.Client) error) { t.askFor(answer, do) }

// askFor gives it so long. A connection of its own: the other waits for changes.
func (t *tray) askFor(limit time.Duration, do func(ctx context.Context, c *local.Client) error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := local.Dial(ctx)
	if err == nil {
		defer c.Close()
		err = do(ctx, c)
	}
	t.failed(err)
}

// failed tells the person what did not work.
func (t *tray) failed(err error) {
	if err == nil {
		return
	}
	text := err.Error()
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Message != "":
		text = refused.Message
	case errors.Is(err, local.ErrAway):
		text = local.Unreached(err).Headline(t.words)
	}
	t.notices.tell(t.words.Say("tray.notice.failed"), text)
}
