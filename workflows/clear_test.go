package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

func TestDecisionsOnFinalTasks(t *testing.T) {
	t.Run("a_retry_clears_everything_downstream", func(t *testing.T) {
		var cleared run.Status
		var rejected []string
		table := daily(func(d dag.DAG) { d[2].Do, d[2].Tries, d[1].Do = does(failsOnce), 1, takes(10*time.Hour) })
		table = append(table, dag.Task{ID: "report", After: dag.Tasks{"clean_geo"}, TriggerRule: dag.AllDone, Do: does(ok)})
		p := play(t, table, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				require.Equal(t, run.UpstreamFailed, queryStatus(t, env).Task("query").State)
				require.Equal(t, run.Success, queryStatus(t, env).Task("report").State)
				decide(env, run.Decision{Task: "clean_geo", Choice: run.RetryTask, Reason: "the source is back"}, &rejected)
			}, time.Hour)
			env.RegisterDelayedCallback(func() { cleared = queryStatus(t, env) }, time.Hour+30*time.Second)
		})
		require.Empty(t, rejected)
		require.NoError(t, p.err)
		require.Equal(t, run.Running, cleared.Task("clean_geo").State)
		require.Equal(t, run.None, cleared.Task("query").State)
		require.Equal(t, run.None, cleared.Task("report").State)
		require.Zero(t, cleared.Task("report").Ended)
		require.Equal(t, run.Success, p.task("query").State)
		require.Equal(t, []int{2, 2, 1}, []int{p.task("clean_geo").Tries, p.task("report").Tries, p.task("query").Tries})
	})

	t.Run("a_retry_waits_for_the_tasks_downstream", func(t *testing.T) {
		var rejected []string
		table := decidable(func(a *dag.Task) { a.Do = does(bad) })
		table[2].TriggerRule, table[2].Do = dag.AllDone, takes(5*time.Hour)
		play(t, table, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "a", Choice: run.RetryTask, Reason: "x"}, &rejected)
			}, time.Hour)
		})
		require.Equal(t, []string{"task a cannot be retried while b, downstream of it, is running: wait for it, or decide about it first; possible: skip, succeed"}, rejected)
	})

	t.Run("a_branch_stays_as_it_was_taken", func(t *testing.T) {
		var rejected []string
		table := daily(func(d dag.DAG) {
			d[0].Do = leaves(run.Outcome{SkipChildren: dag.Tasks{"clean_pin"}})
			d[1].After = dag.Tasks{"load", "early"}
			d[2].Do = takes(10 * time.Hour)
		})
		table = append(dag.DAG{{ID: "early", Do: does(ok)}}, table...)
		p := play(t, table, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "clean_pin", Choice: run.RetryTask, Reason: "x"}, &rejected)
				decide(env, run.Decision{Task: "early", Choice: run.RetryTask, Reason: "x"}, &rejected)
			}, time.Hour)
		})
		require.Equal(t, []string{"task clean_pin is skipped and would be again: not on the branch that load took; possible: fail, succeed"}, rejected)
		require.Equal(t, 2, p.task("early").Tries)
		require.Equal(t, run.Skipped, p.task("clean_pin").State)
	})
}
