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
)

func decide(env *testsuite.TestWorkflowEnvironment, d run.Decision, refused *[]string) {
	env.UpdateWorkflow(run.DecideUpdate, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { *refused = append(*refused, err.Error()) }, OnComplete: func(any, error) {},
	}, d)
}

func TestRun_HoldsUntilDecided(t *testing.T) {
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
			var refused []string
			dag := daily(func(d dag.DAG) {
				d[2].Do = Does(func(ctx workflow.Context, try TaskInstance) (Outcome, error) {
					if fails {
						return bad(ctx, try)
					}
					return Ok(ctx, try)
				})
			})
			p := play(t, dag, run.Input{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					answer, err := env.QueryWorkflow(run.StatusQuery)
					require.NoError(t, err)
					require.NoError(t, answer.Get(&held))
					fails = false
					decide(env, run.Decision{Task: "clean_geo", Choice: c.choice, By: "ann", Reason: "source mended"}, &refused)
				}, 2*time.Hour)
			})
			require.Empty(t, refused)
			require.Equal(t, run.Held, held.State)
			require.Equal(t, run.Held, held.Tasks[2].State)
			require.Contains(t, held.Tasks[2].Error, "broken")
			require.Equal(t, c.geo, p.task("clean_geo").State)
			require.Equal(t, c.query, p.task("query").State)
			require.Equal(t, c.tries, p.task("clean_geo").Tries)
			require.Equal(t, c.query == run.UpstreamFailed, p.err != nil)
			require.Equal(t, string(c.choice)+" by ann: source mended", p.entry.Tasks[2].Decision)
		})
	}
}

func TestRun_AWrongDecisionIsRefusedWithWhatIsPossible(t *testing.T) {
	var refused []string
	play(t, daily(func(d dag.DAG) { d[2].Do = Does(bad) }), run.Input{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			decide(env, run.Decision{Task: "cleen", Choice: run.RetryTask, Reason: "x"}, &refused)
			decide(env, run.Decision{Task: "clean_pin", Choice: run.RetryTask, Reason: "x"}, &refused)
			decide(env, run.Decision{Task: "clean_geo", Choice: "redo", Reason: "x"}, &refused)
			decide(env, run.Decision{Task: "clean_geo", Choice: run.RetryTask, Reason: " "}, &refused)
			decide(env, run.Decision{Task: "clean_geo", Choice: run.FailTask, Reason: "hopeless"}, &refused)
			decide(env, run.Decision{Task: "clean_geo", Choice: run.SkipTask, Reason: "too late"}, &refused)
		}, 2*time.Hour)
	})
	require.Len(t, refused, 5)
	require.Contains(t, refused[0], "its tasks are load, clean_pin, clean_geo, clean_user, query")
	require.Contains(t, refused[1], "task clean_pin is success: only a held task waits")
	require.Contains(t, refused[2], "it can be retry, fail, succeed or skip")
	require.Contains(t, refused[3], "needs a reason")
	require.Contains(t, refused[4], "task clean_geo", "the first decision counts")
}

func TestRun_CancellingEndsAHeldTask(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[2].Do = Does(bad) }), run.Input{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	})
	require.True(t, temporal.IsCanceledError(p.err))
	require.Equal(t, run.Failed, p.task("clean_geo").State)
	require.Equal(t, "the run was cancelled", p.task("clean_geo").Error)
}
