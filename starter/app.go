package main

import (
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
	// asks says that somebody sits there who can be asked: stdin and stderr are terminals.
	asks    bool
	now     func() time.Time
	after   func(time.Duration) <-chan time.Time
	connect connectors
	// operator says who gives the orders.
	operator func() string

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
		asks:    term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		now:     time.Now,
		after:   time.After,
		connect: realConnectors(), operator: operatorName,
	}
}
