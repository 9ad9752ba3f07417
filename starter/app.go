package main

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pinflow/pinflow/internal/config"
)

// app is one call of the starter: where it reads and writes, what time it is, its settings, and how it reaches the systems.
// Commands see the world through it alone, so that tests can put another world in its place.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// colour says that stdout is a terminal whose reader wants colours; live, that stderr is a terminal, on which progress bars are redrawn.
	colour, live bool
	now          func() time.Time
	pause        func(context.Context, time.Duration) error
	connect      connectors

	// The following come from the command line.
	settings config.Config
	envFiles []string
	output   string
	parsed   bool // the command line was understood: an error from here on is not about its use
}

// newApp is the starter in the real world.
func newApp() *app {
	_, noColour := os.LookupEnv("NO_COLOR") // https://no-color.org: set to anything
	return &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		colour:  term.IsTerminal(int(os.Stdout.Fd())) && !noColour && os.Getenv("TERM") != "dumb",
		live:    term.IsTerminal(int(os.Stderr.Fd())),
		now:     time.Now,
		pause:   pause,
		connect: realConnectors(),
	}
}

// pause waits, and ends early with the context's cause.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
