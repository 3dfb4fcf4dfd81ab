// Pero-portal is the reference portal: a page where made-up citizens get a certificate and sign with Pero, its back end, and a
// demonstration certification authority. It is the model for those who put Pero into a portal of their own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/perosign/pero/tokens"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pero-portal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var c config
	flags := flag.NewFlagSet("pero-portal", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:14780", "`address` to serve on; certificates name it")
	flags.StringVar(&c.State, "state", defaultState(), "`folder` of the database, the authority's keys and the signatures")
	flags.StringVar(&c.SMTP, "smtp", "", "mail server as `host:port`; without it letters stay in the outbox")
	flags.StringVar(&c.SMTPFrom, "smtp-from", "portal@pero.example", "`address` that letters come from")
	flags.IntVar(&c.AgentPort, "agent-port", 14741, "`port` that Pero listens on")
	flags.StringVar(&c.List, "ca-list", "", "`file` with the ministry's list of accredited authorities (XML); kept from then on")
	algorithm := flags.String("ca-algorithm", string(tokens.GOST2012256), "`kind` of the authority's keys when it is new: gost2012-256, gost2012-512 or ec-p256")
	flags.DurationVar(&c.Life, "life", 455*24*time.Hour, "how long a citizen's certificate lives")
	flags.Parse(args)
	c.Algorithm = tokens.KeyAlgorithm(*algorithm)
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q: see pero-portal -help", flags.Arg(0))
	}
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("%w: is another portal running? Give another --listen", err)
	}
	c.Base = "http://" + l.Addr().String()
	s, err := newServer(ctx, c)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	handler, err := s.handler()
	if err != nil {
		return errors.Join(err, l.Close(), s.close())
	}
	fmt.Printf("portal  %s/\ndesk    %s/desk\noutbox  %s/outbox\nroot    %s\n", c.Base, c.Base, c.Base, filepath.Join(c.State, "ca", "root.pem"))
	return errors.Join(serve(ctx, l, handler, s), s.close())
}

// serve answers until ctx ends, then lets what is under way finish for some seconds.
func serve(ctx context.Context, l net.Listener, h http.Handler, s *server) error {
	web := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	go s.outbox.run(ctx)
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := web.Shutdown(last); err != nil {
		return web.Close()
	}
	return nil
}

func defaultState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pero-portal")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "pero-portal"
	}
	return filepath.Join(home, ".local", "state", "pero-portal")
}

func portOf(host string) string {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return ""
	}
	return port
}
