package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

func decide(env *testsuite.TestWorkflowEnvironment, d Decision, refused *[]string) {
	env.UpdateWorkflow(DecideUpdate, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { *refused = append(*refused, err.Error()) }, OnComplete: func(any, error) {},
	}, d)
}

func TestRun_HoldsUntilDecided(t *testing.T) {
	for name, c := range map[string]struct {
		choice Choice
		geo    State
		query  State
		tries  int
	}{
		"retry":   {RetryTask, Success, Success, 3},
		"fail":    {FailTask, Failed, UpstreamFailed, 2},
		"succeed": {SucceedTask, Success, Success, 2},
		"skip":    {SkipTask, Skipped, Skipped, 2},
	} {
		t.Run(name, func(t *testing.T) {
			fails := true
			var held RunStatus
			var refused []string
			dag := daily(func(d DAG) {
				d[2].Do = does(func(ctx workflow.Context, try Try) (Outcome, error) {
					if fails {
						return bad(ctx, try)
					}
					return ok(ctx, try)
				})
			})
			p := play(t, dag, RunInput{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					answer, err := env.QueryWorkflow(StatusQuery)
					require.NoError(t, err)
					require.NoError(t, answer.Get(&held))
					fails = false
					decide(env, Decision{Task: "clean_geo", Choice: c.choice, By: "ann", Reason: "source mended"}, &refused)
				}, 2*time.Hour)
			})
			require.Empty(t, refused)
			require.Equal(t, Held, held.State)
			require.Equal(t, Held, held.Tasks[2].State)
			require.Contains(t, held.Tasks[2].Error, "broken")
			require.Equal(t, c.geo, p.task("clean_geo").State)
			require.Equal(t, c.query, p.task("query").State)
			require.Equal(t, c.tries, p.task("clean_geo").Tries)
			require.Equal(t, c.query == UpstreamFailed, p.err != nil)
			require.Equal(t, string(c.choice)+" by ann: source mended", p.entry.Tasks[2].Decision)
		})
	}
}

func TestRun_AWrongDecisionIsRefusedWithWhatIsPossible(t *testing.T) {
	var refused []string
	play(t, daily(func(d DAG) { d[2].Do = does(bad) }), RunInput{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			decide(env, Decision{Task: "cleen", Choice: RetryTask, Reason: "x"}, &refused)
			decide(env, Decision{Task: "clean_pin", Choice: RetryTask, Reason: "x"}, &refused)
			decide(env, Decision{Task: "clean_geo", Choice: "redo", Reason: "x"}, &refused)
			decide(env, Decision{Task: "clean_geo", Choice: RetryTask, Reason: " "}, &refused)
			decide(env, Decision{Task: "clean_geo", Choice: FailTask, Reason: "hopeless"}, &refused)
			decide(env, Decision{Task: "clean_geo", Choice: SkipTask, Reason: "too late"}, &refused)
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
	p := play(t, daily(func(d DAG) { d[2].Do = does(bad) }), RunInput{Hold: true}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	})
	require.True(t, temporal.IsCanceledError(p.err))
	require.Equal(t, Failed, p.task("clean_geo").State)
	require.Equal(t, "the run was cancelled", p.task("clean_geo").Error)
}
