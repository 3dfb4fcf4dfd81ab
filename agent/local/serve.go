package local

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/peer"
)

// most is how many programs of the person may be connected at once.
const most = 32

// own sets the numbers of these connections apart from those of pages: uploads and logins belong to a number.
const own = 1 << 63

// Config is what a Server answers with.
type Config struct {
	Agent api.Agent
	// Person is called for each connection, with a context that ends with it.
	Person func(ctx context.Context) Person
	Say    func(r api.Reason, member string) string // as of api.Options
	Log    *slog.Logger
}

// The names of what only the person may ask.
const (
	methodState   = "person.state"
	methodRevoke  = "person.revoke"
	methodPIN     = "person.pin"
	methodJournal = "person.journal"
)

// Serve answers the person's programs on l, which Listen gave, until ctx ends; it closes l and returns when all connections have ended.
func Serve(ctx context.Context, l net.Listener, c Config) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	slots := make(chan struct{}, most)
	for number := uint64(own); ; number++ {
		from, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				from.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // no descriptors left, say
			c.Log.Error("accept on the local socket", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case slots <- struct{}{}:
			running.Go(func() {
				defer func() { <-slots }()
				defer from.Close()
				c.serve(ctx, from, number)
			})
		default:
			from.Close()
		}
	}
}

func (c Config) serve(ctx context.Context, from net.Conn, number uint64) {
	who, err := same(from)
	if err != nil {
		c.Log.Warn("the local socket refused a program", "error", err)
		return
	}
	stop := context.AfterFunc(ctx, func() { from.Close() })
	defer stop()
	conn, err := greet(from, false)
	if err != nil {
		c.Log.Warn("the local socket refused a program", "error", err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	person := c.Person(ctx)
	err = api.Serve(ctx, conn, c.Agent, api.Caller{User: who.ID, Conn: number}, api.Options{Say: c.Say, Log: c.Log, Extra: []api.Extra{
		api.NewExtra(methodState, person.State),
		api.NewExtra(methodRevoke, person.Revoke),
		api.NewExtra(methodPIN, person.PIN),
		api.NewExtra(methodJournal, person.Journal),
	}})
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		c.Log.Info("a connection of the local socket ended", "reason", err)
	}
}

// same makes sure that the other end belongs to the user that this process belongs to.
func same(c net.Conn) (peer.User, error) {
	mine, err := peer.Self()
	if err != nil {
		return mine, err
	}
	other, err := otherEnd(c)
	if err != nil {
		return other, err
	}
	if other.ID != mine.ID || mine.ID == "" {
		return other, foreign("the program at the other end runs as user " + other.ID)
	}
	return other, nil
}
