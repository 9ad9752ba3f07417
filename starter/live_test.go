package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

// terminal is what a reader sees of what was written to a terminal: it knows the few control sequences that the starter uses, and fails
// the test on any other.
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
		case strings.HasPrefix(out, hideCursor):
			v.cursor, out = false, out[len(hideCursor):]
		case strings.HasPrefix(out, showCursor):
			v.cursor, out = true, out[len(showCursor):]
		case strings.HasPrefix(out, beginUpdate), strings.HasPrefix(out, endUpdate):
			out = out[len(beginUpdate):]
		case strings.HasPrefix(out, clearLine):
			out = out[len(clearLine):]
		case strings.HasPrefix(out, clearBelow):
			v.lines, out = append(v.lines[:v.row:v.row], ""), out[len(clearBelow):]
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
			v.lines[v.row], out = line[:max(0, len(line)-len(clearLine))], rest
			if !strings.HasSuffix(line, clearLine) {
				v.lines[v.row] = line
			}
			if v.row++; v.row == len(v.lines) {
				v.lines = append(v.lines, "")
			}
		}
	}
}

func (v *terminal) String() string { return strings.Join(v.lines, "\n") }

// watched is a run as it is watched: waits, a pause, a failure.
func watched() []run.Status {
	first := runOf(run.Running, run.Task{State: run.Running, Tries: 1, Started: at(-20)})
	second := runOf(run.Running, loaded,
		run.Task{State: run.Running, Tries: 2, Started: at(-5), Error: "[DELTA_CONCURRENT_APPEND] another write came first, and this is a long story that does not fit the line"},
		run.Task{State: run.Queued, Started: at(-5), Waiting: "a slot of pool clean_geo"},
	)
	second.Paused = "ann: the source is being mended (2022-10-19 12:00:00 UTC)"
	return []run.Status{first, second}
}

func TestLive_RedrawsTheTableInPlace(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	t.Setenv("TERM", "xterm")
	var out bytes.Buffer
	a := &app{stderr: &out, live: true, now: func() time.Time { return noon }}
	seen := &terminal{t: t}
	view := a.newRunView()
	frames := watched()

	view.show(frames[0], landed{done: 30, total: 120})
	seen.write(out.String())
	golden(t, "golden/live-landing", seen.String())
	require.False(t, seen.cursor, "a cursor that jumps about would flicker")

	out.Reset()
	view.show(frames[0], landed{done: 30, total: 120})
	require.Empty(t, out.String(), "what stands is not drawn again")

	view.show(frames[1], landed{})
	seen.write(out.String())
	golden(t, "golden/live-waiting", seen.String())
	for _, line := range seen.lines {
		require.Less(t, text.StringWidthWithoutEscSequences(line), 80, line)
	}

	out.Reset()
	view.noWorker(noWorker(errors.New("nobody polls")))
	seen.write(out.String())
	require.Contains(t, seen.String(), "no worker answers on task queue pinflow")
	require.Contains(t, seen.String(), "clean_geo", "what was known stays")

	out.Reset()
	view.end()
	seen.write(out.String())
	require.Empty(t, strings.TrimSpace(seen.String()), "the last state is printed as the command's result")
	require.True(t, seen.cursor)
}

func TestLive_LeavesTheTableAndTheCursorWhenTheReaderGoes(t *testing.T) {
	t.Setenv("TERM", "xterm")
	var out bytes.Buffer
	a := &app{stderr: &out, live: true, now: func() time.Time { return noon }}
	view := a.newRunView()
	view.show(watched()[1], landed{})
	view.leave()
	view.end() // as watchRun does after that
	seen := &terminal{t: t}
	seen.write(out.String())
	require.True(t, seen.cursor)
	require.Contains(t, seen.String(), "clean_geo")
}

func TestLive_CutsTheTableToTheScreen(t *testing.T) {
	t.Setenv("COLUMNS", "40")
	t.Setenv("LINES", "5")
	t.Setenv("TERM", "xterm")
	var out bytes.Buffer
	a := &app{stderr: &out, live: true, colour: true, now: func() time.Time { return noon }}
	a.newRunView().show(watched()[1], landed{})
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 4+1, "a line stays free for the cursor")
	for _, line := range lines {
		for _, control := range []string{beginUpdate, hideCursor, clearLine, clearBelow, endUpdate} {
			line = strings.ReplaceAll(line, control, "")
		}
		require.Less(t, text.StringWidthWithoutEscSequences(line), 40)
	}
}

func TestLive_IsOfTerminalsThatCan(t *testing.T) {
	t.Setenv("TERM", "dumb")
	require.IsType(t, &teller{}, (&app{live: true}).newRunView())
	t.Setenv("TERM", "xterm")
	require.IsType(t, &teller{}, (&app{}).newRunView())
	require.IsType(t, &liveRun{}, (&app{live: true}).newRunView())
}

func TestStatus_WatchIsDrawnOnATerminalAndItsEndPrinted(t *testing.T) {
	t.Setenv("TERM", "xterm")
	w := newWorld()
	w.live = true
	w.temporal.add("pinterest-daily-2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{going, going, good}})
	code, stdout, stderr := w.starter(t, "status", "2022-10-18", "--watch")
	require.Zero(t, code)
	require.Contains(t, stderr, beginUpdate)
	require.True(t, strings.HasSuffix(stderr, clearBelow+showCursor), "the table is taken away, and the cursor is back")
	require.Contains(t, stdout, "pinterest-daily of 2022-10-18: success")
	require.NotContains(t, stdout, "\x1b")
}

func TestStatus_WatchTellsPausesAndWaitsElsewhere(t *testing.T) {
	w := newWorld()
	frames := watched()
	w.temporal.add("pinterest-daily-2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{frames[0], frames[0], frames[1], going, bad}})
	_, _, stderr := w.starter(t, "status", "2022-10-18", "--watch")
	golden(t, "golden/watch-lines", stderr)
	require.NotContains(t, stderr, "\x1b")
}
