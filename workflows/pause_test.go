package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

func TestPause(t *testing.T) {
	t.Run("running_tasks_finish_and_no_new_ones_start", func(t *testing.T) {
		var rejected []string
		var seen run.Status
		p := play(t, daily(), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				update(env, &rejected, run.ResumeUpdate, run.Pause{})
				update(env, &rejected, run.PauseUpdate, run.Pause{By: "ann"})
				update(env, &rejected, run.PauseUpdate, run.Pause{By: "ann", Reason: "the source is being repaired"})
				update(env, &rejected, run.PauseUpdate, run.Pause{By: "bob", Reason: "me too"})
			}, 90*time.Second) // in the middle of cleaning
			env.RegisterDelayedCallback(func() {
				answer, err := env.QueryWorkflow(run.StatusQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&seen))
				update(env, &rejected, run.ResumeUpdate, run.Pause{By: "ann", Reason: "repaired"})
			}, time.Hour)
		})
		require.NoError(t, p.err)
		require.Len(t, rejected, 3)
		require.Equal(t, "the run is not paused", rejected[0])
		require.Contains(t, rejected[1], "a pause needs a reason")
		require.Contains(t, rejected[2], "the run is already paused: ann: the source is being repaired (2022-10-20 12:01:30 UTC)")
		require.Equal(t, "ann: the source is being repaired (2022-10-20 12:01:30 UTC)", seen.Paused)
		require.Equal(t, run.Success, seen.Tasks[1].State)
		require.Equal(t, run.Queued, seen.Tasks[4].State)
		require.Equal(t, "the run to be resumed", seen.Tasks[4].Waiting)
		require.Equal(t, time.Hour+time.Minute, p.took.Round(time.Second))
		require.Empty(t, p.status.Paused)
	})

	t.Run("no_new_try_starts", func(t *testing.T) {
		var rejected []string
		tries := 0
		p := play(t, dag.DAG{{ID: "a", Do: does(func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
			if tries++; tries == 1 {
				return bad(ctx, try)
			}
			return ok(ctx, try)
		})}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { update(env, &rejected, run.PauseUpdate, run.Pause{Reason: "x"}) }, time.Second)
			env.RegisterDelayedCallback(func() {
				require.Equal(t, 1, tries)
				update(env, &rejected, run.ResumeUpdate, run.Pause{})
			}, time.Hour)
		})
		require.NoError(t, p.err)
		require.Empty(t, rejected)
		require.Equal(t, 2, tries)
	})

	t.Run("a_cancelled_run_is_not_paused", func(t *testing.T) {
		var rejected []string
		p := play(t, daily(), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { update(env, &rejected, run.PauseUpdate, run.Pause{By: "ann", Reason: "wait"}) }, 30*time.Second)
			env.RegisterDelayedCallback(env.CancelWorkflow, 90*time.Second)
		})
		require.Error(t, p.err)
		require.Empty(t, rejected)
		require.Equal(t, run.Cancelled, p.status.State)
		require.Empty(t, p.status.Paused)
	})
}
