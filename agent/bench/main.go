// The program bench measures the project's performance goals, each beside its yardstick in the same run, alternating with it, and
// prints a table: goal, figure, yardstick, ratio, met. It asserts nothing: absolute times on a shared machine mean nothing, and
// a ratio that is missed is for a person to look at. Run it by make bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	Goal, Figure, Yardstick string
	Ratio                   float64
	Limit                   string // "<= 1.5"
	Met                     bool
}

// goal measures one or more rows.
type goal struct {
	name    string
	measure func(context.Context, *stage) ([]row, error)
}

// carriersOnly marks the program in a world of its own, where it measures what is done with carriers and prints rows as JSON.
const carriersOnly = "carriers"

func main() {
	if len(os.Args) == 2 && os.Args[1] == carriersOnly {
		inWorld()
		return
	}
	only := flag.String("only", "", "comma-separated goals, all when empty: P1,P7")
	idle := flag.Int("idle", 60, "seconds of idling for P7")
	size := flag.Int64("size", 1<<30, "octets of the large documents for P8 to P10")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *idle, *size); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, idle int, size int64) error {
	s, err := newStage(ctx, idle, size)
	if err != nil {
		return err
	}
	defer s.close()
	goals := []goal{
		{"P1", oneSignature}, {"P2", batch}, {"P3", connections}, {"P4", pageEcho}, {"P5", startUp},
		{"P6", memory}, {"P7", idling}, {"P8", detachedFile}, {"P9", attachedFile}, {"P10", pageUpload}, {"P12", gostSpeed}, {"P13", doorman}, {"cards", carriers}, {"tray", trayAtRest},
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 1, ' ', 0)
	fmt.Fprintln(w, "| goal\t| figure\t| yardstick\t| ratio\t| met\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|")
	defer w.Flush()
	for _, g := range goals {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench:", g.name)
		rows, err := g.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		for _, r := range rows {
			met := "no"
			if r.Met {
				met = "yes"
			}
			fmt.Fprintf(w, "| %s %s\t| %s\t| %s\t| %.2f (%s)\t| %s\t|\n", g.name, r.Goal, r.Figure, r.Yardstick, r.Ratio, r.Limit, met)
		}
	}
	return nil
}

func atMost(r row, limit float64) row {
	r.Limit, r.Met = fmt.Sprintf("<= %g", limit), r.Ratio <= limit
	return r
}

func atLeast(r row, limit float64) row {
	r.Limit, r.Met = fmt.Sprintf(">= %g", limit), r.Ratio >= limit
	return r
}

// median of an odd number of rounds.
func median(values []float64) float64 {
	v := slices.Clone(values)
	slices.Sort(v)
	return v[len(v)/2]
}
