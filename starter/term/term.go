// Package term is the terminal of a command: where it reads and writes, colors, widths, tables,
// progress and blocks that are redrawn in place. It knows nothing of runs.
package term

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// Term is the terminal of one command, or its replacement in a pipe or a test.
type Term struct {
	In       io.Reader
	Out, Err io.Writer
	// Color reports whether Out shows colors.
	Color bool
	// Live reports whether Err is a terminal on which lines can be redrawn.
	Live bool
	// Interactive reports whether a user can be asked: In and Err are terminals.
	Interactive bool
	// Now and After are the clock.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Standard returns the terminal of the process.
func Standard() *Term {
	_, noColor := os.LookupEnv("NO_COLOR") // https://no-color.org: set to anything
	return &Term{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Color:       isTerminal(os.Stdout) && !noColor && os.Getenv("TERM") != "dumb",
		Live:        isTerminal(os.Stderr),
		Interactive: isTerminal(os.Stdin) && isTerminal(os.Stderr),
		Now:         time.Now,
		After:       time.After,
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
