package view

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/startertest"
	"github.com/pinflow/pinflow/starter/term"
)

// terminal is what a reader sees of what was written to a terminal: it knows the few control
// sequences that the starter uses, and fails the test on any other.
type terminal struct {
	t      *testing.T
	lines  []string
	row    int
	cursor bool // is to be seen
}

func (v *terminal) write(out string) {
	v.t.Helper()
	if v.lines == nil {
		v.lines, v.cursor = []string{""}, true
	}
	for out != "" {
		switch {
		case strings.HasPrefix(out, term.HideCursor):
			v.cursor, out = false, out[len(term.HideCursor):]
		case strings.HasPrefix(out, term.ShowCursor):
			v.cursor, out = true, out[len(term.ShowCursor):]
		case strings.HasPrefix(out, term.BeginUpdate), strings.HasPrefix(out, term.EndUpdate):
			out = out[len(term.BeginUpdate):]
		case strings.HasPrefix(out, term.ClearLine):
			out = out[len(term.ClearLine):]
		case strings.HasPrefix(out, term.ClearBelow):
			v.lines, out = append(v.lines[:v.row:v.row], ""), out[len(term.ClearBelow):]
		case strings.HasPrefix(out, "\x1b["):
			up, rest, ok := strings.Cut(out[2:], "A\r")
			require.True(v.t, ok, "unknown control sequence %q", out)
			n := 0
			for _, digit := range up {
				n = n*10 + int(digit-'0')
			}
			require.LessOrEqual(v.t, n, v.row, "the cursor goes up no further than the block")
			v.row, out = v.row-n, rest
		default:
			line, rest, _ := strings.Cut(out, "\n")
			v.lines[v.row], out = line[:max(0, len(line)-len(term.ClearLine))], rest
			if !strings.HasSuffix(line, term.ClearLine) {
				v.lines[v.row] = line
			}
			if v.row++; v.row == len(v.lines) {
				v.lines = append(v.lines, "")
			}
		}
	}
}

func (v *terminal) String() string { return strings.Join(v.lines, "\n") }

// liveView returns a view on a terminal.
func liveView(out io.Writer) *View {
	return &View{
		Term: &term.Term{Err: out, Live: true, Now: func() time.Time { return startertest.Noon }}, DAG: startertest.Pipeline, Command: startertest.Command,
	}
}

func TestLive(t *testing.T) {
	t.Run("redraws_the_table_in_place", func(t *testing.T) {
		t.Setenv("COLUMNS", "80")
		t.Setenv("TERM", "xterm")
		var out bytes.Buffer
		v := liveView(&out)
		seen := &terminal{t: t}
		shown := v.Watcher()
		frames := startertest.Watched()

		shown.Show(frames[0], history.Landing{Done: 30, Total: 120})
		seen.write(out.String())
		startertest.Golden(t, "live-landing", seen.String())
		require.False(t, seen.cursor, "a cursor that jumps about would flicker")

		out.Reset()
		shown.Show(frames[0], history.Landing{Done: 30, Total: 120})
		require.Empty(t, out.String(), "a frame like the last one is not drawn")

		shown.Show(frames[1], history.Landing{})
		seen.write(out.String())
		startertest.Golden(t, "live-waiting", seen.String())
		for _, line := range seen.lines {
			require.Less(t, text.StringWidthWithoutEscSequences(line), 80, line)
		}

		out.Reset()
		shown.NoAnswer(errors.New("no worker answers on task queue pinflow"))
		seen.write(out.String())
		require.Contains(t, seen.String(), "no worker answers on task queue pinflow")
		require.Contains(t, seen.String(), "clean_geo", "what was known stays")

		out.Reset()
		shown.End()
		seen.write(out.String())
		require.Empty(t, strings.TrimSpace(seen.String()), "the last state is printed as the command's result")
		require.True(t, seen.cursor)
	})

	t.Run("leaves_the_table_and_the_cursor_when_watching_stops", func(t *testing.T) {
		t.Setenv("TERM", "xterm")
		var out bytes.Buffer
		v := liveView(&out)
		shown := v.Watcher()
		shown.Show(startertest.Watched()[1], history.Landing{})
		shown.Leave()
		shown.End() // as watchRun does after that
		seen := &terminal{t: t}
		seen.write(out.String())
		require.True(t, seen.cursor)
		require.Contains(t, seen.String(), "clean_geo")
	})

	t.Run("cuts_the_table_to_the_screen", func(t *testing.T) {
		t.Setenv("COLUMNS", "40")
		t.Setenv("LINES", "5")
		t.Setenv("TERM", "xterm")
		var out bytes.Buffer
		v := liveView(&out)
		v.Color = true
		v.Watcher().Show(startertest.Watched()[1], history.Landing{})
		lines := strings.Split(out.String(), "\n")
		require.Len(t, lines, 4+1, "a line stays free for the cursor")
		for _, line := range lines {
			for _, control := range []string{term.BeginUpdate, term.HideCursor, term.ClearLine, term.ClearBelow, term.EndUpdate} {
				line = strings.ReplaceAll(line, control, "")
			}
			require.Less(t, text.StringWidthWithoutEscSequences(line), 40)
		}
	})

	t.Run("is_of_terminals_that_can", func(t *testing.T) {
		t.Setenv("TERM", "dumb")
		require.IsType(t, &lineRun{}, liveView(io.Discard).Watcher())
		t.Setenv("TERM", "xterm")
		require.IsType(t, &lineRun{}, (&View{Term: &term.Term{}}).Watcher())
		require.IsType(t, &liveRun{}, liveView(io.Discard).Watcher())
	})
}
