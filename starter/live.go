package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

const (
	// defaultColumns and defaultRows are the size of the screen where nobody says another.
	defaultColumns = 80
	defaultRows    = 24
)

// columns is how many characters a line of the reader's screen has: COLUMNS if that is set, else what the terminal says; known is false
// where neither does, as in a pipe.
func columns(w io.Writer) (width int, known bool) {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n, true
	}
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width, true
		}
	}
	return defaultColumns, false
}

// rowsOf is how many lines the reader's screen has.
func rowsOf(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("LINES")); err == nil && n > 0 {
		return n
	}
	if file, ok := w.(*os.File); ok {
		if _, height, err := term.GetSize(int(file.Fd())); err == nil && height > 0 {
			return height
		}
	}
	return defaultRows
}

// Control sequences of terminals (ECMA-48, and two of xterm's private modes that others ignore or know).
const (
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
	beginUpdate = "\x1b[?2026h" // the terminal shows nothing until the end of the update: no flicker
	endUpdate   = "\x1b[?2026l"
	clearLine   = "\x1b[K" // from the cursor on
	clearBelow  = "\x1b[J"
)

// screen is a block of lines at the bottom of a terminal that is redrawn in place.
type screen struct {
	w     io.Writer
	lines int    // of the block as it stands
	last  string // what stands there
}

// draw puts the lines in the place of the former ones, in one write. Lines are cut to the terminal's width, and the block to its height:
// a line that wraps, or one that scrolls away, could not be redrawn.
func (s *screen) draw(block string) {
	width, _ := columns(s.w)
	lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
	lines = lines[:min(len(lines), max(1, rowsOf(s.w)-1))]
	for i, line := range lines {
		lines[i] = text.Trim(line, width-1) // a character in the last column would leave the cursor in doubt
	}
	if block = strings.Join(lines, "\n"); block == s.last {
		return
	}
	var b strings.Builder
	b.WriteString(beginUpdate + hideCursor)
	s.home(&b)
	for _, line := range lines {
		b.WriteString(line + clearLine + "\n")
	}
	b.WriteString(clearBelow + endUpdate)
	fmt.Fprint(s.w, b.String())
	s.lines, s.last = len(lines), block
}

// home moves the cursor to the start of the block.
func (s *screen) home(b *strings.Builder) {
	if s.lines > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r", s.lines)
	}
}

// clear takes the block away and shows the cursor.
func (s *screen) clear() {
	if s.lines == 0 {
		return
	}
	var b strings.Builder
	s.home(&b)
	b.WriteString(clearBelow + showCursor)
	fmt.Fprint(s.w, b.String())
	s.lines, s.last = 0, ""
}

// leave lets the block stand, with the cursor below it.
func (s *screen) leave() {
	if s.lines > 0 {
		fmt.Fprint(s.w, showCursor)
	}
	s.lines, s.last = 0, ""
}
