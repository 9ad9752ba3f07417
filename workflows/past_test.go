package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

func dependent() dag.DAG {
	return daily(func(d dag.DAG) { d[4].DependsOnPast, d[4].Pool = true, "narrow" })
}

// pastIs answers the attempts of CheckPast in turn.
func pastIs(asked *[]activities.CheckPastInput, answers ...error) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(steps.CheckPast, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CheckPastInput) error {
			*asked = append(*asked, in)
			return answers[min(len(*asked), len(answers))-1]
		}).Times(len(answers))
	}
}

func TestPast(t *testing.T) {
	t.Run("a_task_waits_for_the_date_before_and_holds_no_slot", func(t *testing.T) {
		var asked []activities.CheckPastInput
		notYet := errors.New("query of 2022-10-17 is failed")
		var seen run.Status
		p := play(t, dependent(), run.Input{Trigger: run.Manual}, atOnce, pastIs(&asked, notYet, notYet, notYet, notYet, nil), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				answer, err := env.QueryWorkflow(run.StatusQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&seen))
			}, 2*time.Minute+5*time.Second)
		})
		require.NoError(t, p.err)
		require.Len(t, asked, 5)
		require.Equal(t, activities.CheckPastInput{DAG: testDAG, Date: "2022-10-17", WorkflowID: someDeployment.WorkflowID(testDAG, "2022-10-17"), Task: "query"}, asked[0])
		require.Equal(t, run.Queued, seen.Tasks[4].State)
		require.Equal(t, "query of 2022-10-17", seen.Tasks[4].Waiting, "it requests its slot afterwards")
		require.Empty(t, p.task("query").Waiting)
		require.Equal(t, 1, p.task("query").Tries, "the wait is not a try")
	})

	t.Run("in_a_backfill_a_failed_past_is_final", func(t *testing.T) {
		var asked []activities.CheckPastInput
		gone := temporal.NewNonRetryableApplicationError("query of 2022-10-17 is failed: rerun 2022-10-17 first, or ignore the past", failure.PastFailed, nil)
		p := play(t, dependent(), run.Input{Trigger: run.Backfill, BackfillStart: "2022-10-01"}, pastIs(&asked, gone))
		require.ErrorContains(t, p.err, "task query is upstream_failed")
		require.True(t, asked[0].FailedIsFinal)
		require.EqualValues(t, "2022-10-01", asked[0].BackfillStart)
		require.Equal(t, run.UpstreamFailed, p.task("query").State)
		require.Contains(t, p.task("query").Error, "rerun 2022-10-17 first")
		require.Zero(t, p.task("query").Tries)
	})

	t.Run("can_be_ignored", func(t *testing.T) {
		p := play(t, dependent(), run.Input{IgnorePast: true}, atOnce) // an unexpected call of CheckPast would fail the run
		require.NoError(t, p.err)
	})

	t.Run("cancelling_ends_the_wait", func(t *testing.T) {
		var asked []activities.CheckPastInput
		p := play(t, daily(func(d dag.DAG) { d[4].DependsOnPast = true }), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.CheckPast, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CheckPastInput) error {
				asked = append(asked, in)
				return errors.New("not yet")
			})
			env.RegisterDelayedCallback(env.CancelWorkflow, 2*time.Minute+10*time.Second)
		})
		require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
		require.Equal(t, run.Cancelled, p.task("query").State)
	})

	t.Run("a_backwards_range_is_rejected", func(t *testing.T) {
		for _, ignore := range []bool{false, true} {
			in := run.RangeInput{DAG: testDAG, From: firstOfMonth, To: lastOfMonth, Backwards: true, IgnorePast: ignore}
			_, err := catalog(dependent()).CompleteRange(in, noon)
			require.Equal(t, !ignore, err != nil)
			if err != nil {
				require.ErrorContains(t, err, "tasks of this DAG depend on the past")
			}
		}
	})
}
