package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/startertest"
	"github.com/pinflow/pinflow/starter/term"
)

func TestStatus_WatchIsDrawnOnATerminalAndItsEndPrinted(t *testing.T) {
	t.Setenv("TERM", "xterm")
	w := newWorld()
	w.live = true
	w.temporal.add("pipeline-2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{going, going, good}})
	code, stdout, stderr := w.starter(t, "status", "2022-10-18", "--watch")
	require.Zero(t, code)
	require.Contains(t, stderr, term.BeginUpdate)
	require.True(t, strings.HasSuffix(stderr, term.ClearBelow+term.ShowCursor), "the table is taken away, and the cursor is back")
	require.Contains(t, stdout, "pipeline of 2022-10-18: success")
	require.NotContains(t, stdout, "\x1b")
}

func TestStatus_WatchTellsPausesAndWaitsElsewhere(t *testing.T) {
	w := newWorld()
	frames := startertest.Watched()
	w.temporal.add("pipeline-2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{frames[0], frames[0], frames[1], going, bad}})
	_, _, stderr := w.starter(t, "status", "2022-10-18", "--watch")
	golden(t, "watch-lines", stderr)
	require.NotContains(t, stderr, "\x1b")
}
