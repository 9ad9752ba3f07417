package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/startertest"
	"github.com/pinflow/pinflow/starter/term"
)

func TestStatusLive(t *testing.T) {
	t.Run("watch_is_drawn_on_a_terminal_and_its_end_printed", func(t *testing.T) {
		t.Setenv("TERM", "xterm")
		w := newWorld()
		w.live = true
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{underway, underway, good}})
		code, stdout, stderr := w.starter(t, "status", "2022-10-18", "--watch")
		require.Zero(t, code)
		require.Contains(t, stderr, term.BeginUpdate)
		require.True(t, strings.HasSuffix(stderr, term.ClearBelow+term.ShowCursor), "the table is taken away, and the cursor is back")
		require.Contains(t, stdout, "pipeline of 2022-10-18: success")
		require.NotContains(t, stdout, "\x1b")
	})

	t.Run("watch_tells_pauses_and_waits_elsewhere", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		frames := startertest.Watched()
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{frames[0], frames[0], frames[1], underway, bad}})
		_, _, stderr := w.starter(t, "status", "2022-10-18", "--watch")
		golden(t, "watch-lines", stderr)
		require.NotContains(t, stderr, "\x1b")
	})
}
