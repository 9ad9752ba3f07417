package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGraph_ShowsTheStatesOfADate(t *testing.T) {
	for _, form := range []string{"text", "mermaid", "dot", "json"} {
		w := newWorld()
		w.record(t, repaired())
		code, stdout, stderr := w.view(t, "graph 2022-10-18 -o "+form)
		require.Zero(t, code, stderr)
		golden(t, "golden/graph-"+form, stdout)
	}
	w := newWorld()
	w.colour = true
	w.record(t, repaired())
	_, stdout, _ := w.view(t, "graph 2022-10-18")
	golden(t, "golden/graph-colour", stdout)
}

func TestGraph_SaysWhatTasksWaitFor(t *testing.T) {
	w := newWorld()
	status := watched()[1]
	w.temporal.add("pinterest-daily-2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{status, status}})
	code, stdout, stderr := w.view(t, "graph 2022-10-18")
	require.Zero(t, code, stderr)
	golden(t, "golden/graph-waiting", stdout)
}

func TestGraph_OfADateThatWasNotRun(t *testing.T) {
	code, stdout, stderr := newWorld().view(t, "graph 2022-10-18")
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "2022-10-18 has not been run")
}
