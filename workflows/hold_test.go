package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

// decide sends a decision and collects the errors of rejected ones.
func decide(env *testsuite.TestWorkflowEnvironment, d run.Decision, rejected *[]string) {
	env.UpdateWorkflow(run.DecideUpdate, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { *rejected = append(*rejected, err.Error()) }, OnComplete: func(any, error) {},
	}, d)
}

func TestHold(t *testing.T) {
	t.Run("waits_for_a_decision", func(t *testing.T) {
		for name, c := range map[string]struct {
			choice run.Choice
			geo    run.State
			query  run.State
			tries  int
		}{
			"retry":   {run.RetryTask, run.Success, run.Success, 3},
			"fail":    {run.FailTask, run.Failed, run.UpstreamFailed, 2},
			"succeed": {run.SucceedTask, run.Success, run.Success, 2},
			"skip":    {run.SkipTask, run.Skipped, run.Skipped, 2},
		} {
			t.Run(name, func(t *testing.T) {
				fails := true
				var held run.Status
				var rejected []string
				dag := daily(func(d dag.DAG) {
					d[2].Do = does(func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
						if fails {
							return bad(ctx, try)
						}
						return ok(ctx, try)
					})
				})
				p := play(t, dag, run.Input{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
					env.RegisterDelayedCallback(func() {
						answer, err := env.QueryWorkflow(run.StatusQuery)
						require.NoError(t, err)
						require.NoError(t, answer.Get(&held))
						fails = false
						decide(env, run.Decision{Task: "clean_geo", Choice: c.choice, By: "ann", Reason: "the source is repaired"}, &rejected)
					}, 2*time.Hour)
				})
				require.Empty(t, rejected)
				require.Equal(t, run.Held, held.State)
				require.Equal(t, run.Held, held.Tasks[2].State)
				require.Contains(t, held.Tasks[2].Error, "broken")
				require.Equal(t, c.geo, p.task("clean_geo").State)
				require.Equal(t, c.query, p.task("query").State)
				require.Equal(t, c.tries, p.task("clean_geo").Tries)
				require.Equal(t, c.query == run.UpstreamFailed, p.err != nil)
				require.Equal(t, string(c.choice)+" by ann: the source is repaired", p.entry.Tasks[2].Decision)
				if c.geo == run.Failed {
					require.Contains(t, p.task("clean_geo").Error, "broken")
				} else {
					require.Empty(t, p.task("clean_geo").Error, "a failure that was resolved is not the task's error any more")
				}
				require.Contains(t, p.task("clean_geo").History[0].Error, "broken", "the tries keep it")
			})
		}
	})

	t.Run("a_rejected_decision_names_what_is_possible", func(t *testing.T) {
		var rejected []string
		play(t, daily(func(d dag.DAG) { d[2].Do = does(bad) }), run.Input{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "cleen", Choice: run.RetryTask, Reason: "x"}, &rejected)
				decide(env, run.Decision{Task: "query", Choice: run.RetryTask, Reason: "x"}, &rejected)
				decide(env, run.Decision{Task: "clean_geo", Choice: "redo", Reason: "x"}, &rejected)
				decide(env, run.Decision{Task: "clean_geo", Choice: run.RetryTask, Reason: " "}, &rejected)
				decide(env, run.Decision{Task: "clean_geo", Choice: run.FailTask, Reason: "hopeless"}, &rejected)
			}, 2*time.Hour)
		})
		require.Len(t, rejected, 4)
		require.Contains(t, rejected[0], "its tasks are load, clean_pin, clean_geo, clean_user, query")
		require.Contains(t, rejected[1], "task query is none: no try of it has started; possible: skip, fail, succeed; held: clean_geo")
		require.Contains(t, rejected[2], `unknown decision "redo": want retry, skip, fail, succeed`)
		require.Contains(t, rejected[3], "needs a reason")
	})

	t.Run("cancelling_ends_a_held_task", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[2].Do = does(bad) }), run.Input{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
		})
		require.True(t, temporal.IsCanceledError(p.err))
		require.Equal(t, run.Cancelled, p.task("clean_geo").State)
		require.Equal(t, run.Cancelled, p.entry.State)
		require.Equal(t, "the run was cancelled", p.task("clean_geo").Error)
	})

	t.Run("adag_can_hold_in_every_run", func(t *testing.T) {
		c := catalog(daily(func(d dag.DAG) { d[2].Do = does(bad) }))
		c.DAGs[0].Hold = true
		var rejected []string
		p := playCatalog(t, c, run.Input{DAG: testDAG, Date: someDay}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "clean_geo", Choice: run.SkipTask, Reason: "not needed"}, &rejected)
			}, time.Hour)
		})
		require.Empty(t, rejected)
		require.NoError(t, p.err)
	})
}
