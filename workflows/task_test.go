package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

func TestTimeout(t *testing.T) {
	t.Run("fails_a_try_that_takes_longer", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[0].Timeout = 10 * time.Second }), run.Input{})
		require.Equal(t, "timed out after 10s", p.task("load").Error)
		require.Equal(t, 2, p.task("load").Tries)
		require.Equal(t, run.UpstreamFailed, p.task("query").State)
		require.Equal(t, 30*time.Second, p.took.Round(time.Second), "two tries and the delay")
	})

	t.Run("a_try_that_ends_in_time_succeeds", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[0].Timeout = 2 * time.Minute }), run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, 3*time.Minute, p.took.Round(time.Second), "the timer does not keep the run alive")
	})
}

func TestRunTimeout(t *testing.T) {
	t.Run("cancels_running_tasks_and_fails_the_run", func(t *testing.T) {
		for name, in := range map[string]run.Input{"of the input": {RunTimeout: 90 * time.Second}, "of the DAG": {}} {
			c := catalog(daily())
			c.DAGs[0].RunTimeout = 90 * time.Second
			in.DAG, in.Date = testDAG, someDay
			p := playCatalog(t, c, in)
			require.Equal(t, 90*time.Second, p.took.Round(time.Second), name)
			require.False(t, temporal.IsCanceledError(p.err), "a run that timed out has failed")
			require.ErrorContains(t, p.err, "test of 2022-10-18 timed out after 1m30s: cancelled tasks: clean_pin, clean_geo, clean_user, query")
			require.Equal(t, map[string]run.State{
				"load": run.Success, "clean_pin": run.Cancelled, "clean_geo": run.Cancelled, "clean_user": run.Cancelled, "query": run.Cancelled,
			}, states(p))
			require.Equal(t, "the run timed out after 1m30s", p.task("clean_pin").Error)
			require.Equal(t, "the run timed out after 1m30s before the task started", p.task("query").Error)
			require.Equal(t, run.Failed, p.entry.State)
		}
	})

	t.Run("a_run_that_ends_in_time_succeeds", func(t *testing.T) {
		p := play(t, daily(), run.Input{RunTimeout: 4 * time.Minute})
		require.NoError(t, p.err)
	})
}

func TestTask(t *testing.T) {
	t.Run("history_has_each_try", func(t *testing.T) {
		tries := 0
		p := play(t, dag.DAG{{ID: "a", RetryDelay: time.Minute, Do: does(func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
			if tries++; tries == 1 {
				try.Report(run.Outcome{Link: "https://page/1", JobRunID: 1})
				return bad(ctx, try)
			}
			try.Report(run.Outcome{Link: "https://page/2", JobRunID: 2})
			_, err := ok(ctx, try)
			return run.Outcome{Rows: 3, Link: "https://page/2", JobRunID: 2}, err
		})}}, run.Input{})
		require.NoError(t, p.err)
		history := p.entry.Tasks[0].History
		require.Len(t, history, 2)
		require.Equal(t, []any{1, run.Failed, "broken: SELECT nonsense", int64(1)}, []any{history[0].Number, history[0].State, history[0].Error, history[0].JobRunID})
		require.Equal(t, []any{2, run.Success, "", int64(2), "https://page/2"}, []any{history[1].Number, history[1].State, history[1].Error, history[1].JobRunID, history[1].Link})
		require.Equal(t, time.Minute, history[1].Started.Sub(history[0].Ended).Round(time.Second), "the delay between two tries is part of neither")
		require.EqualValues(t, 3, p.entry.Tasks[0].Rows)
	})
}
