package term

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
	// DefaultColumns and defaultRows are the size of the screen if it is unknown.
	DefaultColumns = 80
	defaultRows    = 24
)

// Columns returns the width of the screen: COLUMNS if that is set, else that of the terminal. known
// is false if there is neither, as in a pipe.
func Columns(w io.Writer) (width int, known bool) {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n, true
	}
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width, true
		}
	}
	return DefaultColumns, false
}

// Unlimited is the width of output that nobody reads on a screen: a pipe or a file.
const Unlimited = 1 << 20

// Width returns the width to which lines are cut and wrapped: that of the screen, or Unlimited.
func Width(w io.Writer) int {
	if width, known := Columns(w); known {
		return width
	}
	return Unlimited
}

// rowsOf returns the height of the screen.
func rows(w io.Writer) int {
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

// Control sequences of terminals: ECMA-48, and two private modes of xterm that others know or
// ignore.
const (
	HideCursor  = "\x1b[?25l"
	ShowCursor  = "\x1b[?25h"
	BeginUpdate = "\x1b[?2026h" // the terminal shows nothing until the end of the update: no flicker
	EndUpdate   = "\x1b[?2026l"
	ClearLine   = "\x1b[K" // from the cursor on
	ClearBelow  = "\x1b[J"
)

// Screen is a block of lines at the bottom of a terminal that is redrawn in place.
type Screen struct {
	W     io.Writer
	lines int    // of the block
	last  string // the block
}

// Draw replaces the block in one write. It cuts lines to the width of the terminal, and the block
// to its height: a line that wraps or scrolls away cannot be redrawn.
func (s *Screen) Draw(block string) {
	width, _ := Columns(s.W)
	lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
	lines = lines[:min(len(lines), max(1, rows(s.W)-1))]
	for i, line := range lines {
		lines[i] = text.Trim(line, width-1) // a character in the last column would leave the cursor in doubt
	}
	if block = strings.Join(lines, "\n"); block == s.last {
		return
	}
	var b strings.Builder
	b.WriteString(BeginUpdate + HideCursor)
	s.home(&b)
	for _, line := range lines {
		b.WriteString(line + ClearLine + "\n")
	}
	b.WriteString(ClearBelow + EndUpdate)
	fmt.Fprint(s.W, b.String())
	s.lines, s.last = len(lines), block
}

// home moves the cursor to the start of the block.
func (s *Screen) home(b *strings.Builder) {
	if s.lines > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r", s.lines)
	}
}

// Clear removes the block and shows the cursor.
func (s *Screen) Clear() {
	if s.lines == 0 {
		return
	}
	var b strings.Builder
	s.home(&b)
	b.WriteString(ClearBelow + ShowCursor)
	fmt.Fprint(s.W, b.String())
	s.lines, s.last = 0, ""
}

// Leave leaves the block on the screen, with the cursor below it.
func (s *Screen) Leave() {
	if s.lines > 0 {
		fmt.Fprint(s.W, ShowCursor)
	}
	s.lines, s.last = 0, ""
}
