package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
)

func TestGraph(t *testing.T) {
	t.Run("draws_the_dag", func(t *testing.T) {
		t.Parallel()
		d := startertest.Pipeline.DAG
		for form, want := range map[string]string{"text": d.Text(nil), "mermaid": d.Mermaid(nil), "dot": d.Dot(nil)} { // as internal/dag draws it
			code, stdout, stderr := newWorld().line(t, "graph -o "+form)
			require.Zero(t, code, stderr)
			require.Equal(t, want, stdout)
		}
		code, stdout, stderr := newWorld().line(t, "graph -o json")
		require.Zero(t, code, stderr)
		golden(t, "graph-plain-json", stdout)
	})

	t.Run("shows_the_states_of_a_date", func(t *testing.T) {
		for _, form := range []string{"text", "mermaid", "dot", "json"} {
			w := newWorld()
			w.record(t, repaired())
			code, stdout, stderr := w.view(t, "graph 2022-10-18 -o "+form)
			require.Zero(t, code, stderr)
			golden(t, "graph-"+form, stdout)
		}
		w := newWorld()
		w.color = true
		w.record(t, repaired())
		_, stdout, _ := w.view(t, "graph 2022-10-18")
		golden(t, "graph-color", stdout)
	})

	t.Run("says_what_tasks_wait_for", func(t *testing.T) {
		w := newWorld()
		status := startertest.Watched()[1]
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{status, status}})
		code, stdout, stderr := w.view(t, "graph 2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "graph-waiting", stdout)
	})

	t.Run("of_a_date_that_was_not_run", func(t *testing.T) {
		code, stdout, stderr := newWorld().view(t, "graph 2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "2022-10-18 has not run yet")
	})
}
