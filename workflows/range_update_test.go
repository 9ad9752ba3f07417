package workflows

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// update sends an update and collects the errors of rejected ones.
func update(env *testsuite.TestWorkflowEnvironment, rejected *[]string, name string, arg any) {
	env.UpdateWorkflow(name, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { *rejected = append(*rejected, err.Error()) }, OnComplete: func(any, error) {},
	}, arg)
}

func TestRangeUpdate(t *testing.T) {
	t.Run("parallel_changes_while_it_runs", func(t *testing.T) {
		w := newWindow()
		var rejected []string
		w.takes = func(dates.Date) time.Duration { return time.Hour }
		var atTwo, atSix int
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 2}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { atTwo = w.running; update(env, &rejected, run.ParallelUpdate, 6) }, 90*time.Minute)
			env.RegisterDelayedCallback(func() { atSix = w.running; update(env, &rejected, run.ParallelUpdate, 1) }, 100*time.Minute)
			env.RegisterDelayedCallback(func() { require.Equal(t, 1, w.running) }, 155*time.Minute)
			env.RegisterDelayedCallback(func() { update(env, &rejected, run.ParallelUpdate, 0); update(env, &rejected, run.ParallelUpdate, 501) }, 150*time.Minute)
		})
		require.NoError(t, r.err)
		require.Equal(t, 2, atTwo)
		require.Equal(t, 6, atSix)
		require.Equal(t, 6, w.most)
		require.Equal(t, []string{"parallel 0: want 1 to 500", "parallel 501: want 1 to 500"}, rejected)
	})

	t.Run("paused_starts_no_dates", func(t *testing.T) {
		w := newWindow()
		var rejected []string
		w.takes = func(dates.Date) time.Duration { return time.Hour }
		var paused run.RangeProgress
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: firstOfMonth.Add(3)}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				update(env, &rejected, run.ResumeUpdate, run.Pause{})
				update(env, &rejected, run.PauseUpdate, run.Pause{By: "ann"})
				update(env, &rejected, run.PauseUpdate, run.Pause{By: "ann", Reason: "Databricks is full"})
			}, 30*time.Minute)
			env.RegisterDelayedCallback(func() {
				update(env, &rejected, run.PauseUpdate, run.Pause{Reason: "again"})
				answer, err := env.QueryWorkflow(run.ProgressQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&paused))
			}, 10*time.Hour)
			env.RegisterDelayedCallback(func() { update(env, &rejected, run.ResumeUpdate, run.Pause{}) }, 11*time.Hour)
		})
		require.NoError(t, r.err)
		require.Equal(t, 1, paused.Done(), "the running date finished, the next did not start")
		require.Equal(t, "ann: Databricks is full (2022-10-20 12:30:00 UTC)", paused.Paused)
		require.Equal(t, 14*time.Hour, r.took.Round(time.Minute))
		require.Equal(t, []string{
			"the range is not paused", "a pause needs a reason for others to read",
			"the range is already paused: ann: Databricks is full (2022-10-20 12:30:00 UTC)",
		}, rejected)
	})

	t.Run("cancelled_starts_no_more_dates_and_waits_for_its_runs", func(t *testing.T) {
		w := newWindow()
		w.takes = func(dates.Date) time.Duration { return time.Hour }
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 3}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, 90*time.Minute)
		})
		require.True(t, temporal.IsCanceledError(r.err), "%v", r.err)
		require.Equal(t, 6, r.progress.Success)
		require.Zero(t, r.progress.Failed)
		require.Equal(t, 2*time.Hour, r.took.Round(time.Minute))
	})

	t.Run("cancelling_ends_a_paused_range", func(t *testing.T) {
		w := newWindow()
		var rejected []string
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { update(env, &rejected, run.PauseUpdate, run.Pause{Reason: "x"}) }, 30*time.Second)
			env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Hour)
		})
		require.True(t, temporal.IsCanceledError(r.err), "%v", r.err)
		require.Equal(t, 1, r.progress.Done())
	})

	t.Run("stop_now_cancels_its_runs", func(t *testing.T) {
		w := newWindow()
		var rejected []string
		w.takes = func(dates.Date) time.Duration { return time.Hour }
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 3}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				update(env, &rejected, run.StopUpdate, run.Stop{Now: true})
				update(env, &rejected, run.StopUpdate, run.Stop{Pause: run.Pause{By: "ann", Reason: "wrong dates"}, Now: true})
			}, 90*time.Minute)
		})
		require.ErrorContains(t, r.err, "3 of 30 dates were cancelled; 24 dates did not run: stopped by ann: wrong dates")
		require.Equal(t, []int{3, 0, 3, 6}, []int{r.progress.Success, r.progress.Failed, r.progress.Cancelled, r.progress.Done()})
		require.Equal(t, 90*time.Minute, r.took.Round(time.Minute))
		require.Equal(t, []string{"a stop needs a reason for others to read"}, rejected)
	})

	t.Run("stop_now_cancels_runs_that_are_starting", func(t *testing.T) {
		w := newWindow()
		var rejected []string
		w.takes = func(dates.Date) time.Duration { return time.Hour }
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 3}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			var once sync.Once
			env.SetOnChildWorkflowStartedListener(func(*workflow.Info, workflow.Context, converter.EncodedValues) {
				once.Do(func() {
					update(env, &rejected, run.StopUpdate, run.Stop{Pause: run.Pause{By: "ann", Reason: "wrong dates"}, Now: true})
				})
			})
		})
		require.ErrorContains(t, r.err, "27 dates did not run: stopped by ann: wrong dates")
		require.Equal(t, 3, r.progress.Cancelled)
		require.Less(t, r.took, time.Hour)
		require.Empty(t, rejected)
	})

	t.Run("continues_as_new_with_its_runs", func(t *testing.T) {
		w := newWindow()
		w.takes = func(dates.Date) time.Duration { return time.Hour }
		w.ends = func(d dates.Date) error {
			if d == firstOfMonth {
				return temporal.NewNonRetryableApplicationError("broken", failure.RunFailed, nil)
			}
			return nil
		}
		entries := []ledger.Entry{{Status: run.Status{Date: firstOfMonth.Add(1), State: "success"}}}
		var rejected []string
		first := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 3}, withLedger(entries...), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { update(env, &rejected, run.ParallelUpdate, 4) }, 70*time.Minute)
			env.RegisterDelayedCallback(func() { env.SetContinueAsNewSuggested(true) }, 80*time.Minute)
		})
		require.Empty(t, rejected)
		in := continued(t, first.err)
		require.Equal(t, 4, in.Carried.Parallel)
		require.Len(t, in.Carried.Running, 4)
		require.Equal(t, 2, in.Carried.Success)
		require.Equal(t, 1, in.Carried.Failed)
		require.Equal(t, 1, in.Carried.Skipped)
		require.Equal(t, 8, in.Carried.Next)

		// The next workflow run waits for these runs by their run ids and does not start them
		// again.
		rest := newWindow()
		var awaited []string
		r := playRange(t, rest, in, withLedger(entries...), func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.AwaitRun, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AwaitRunInput) (activities.RunEnd, error) {
				rest.mu.Lock()
				defer rest.mu.Unlock()
				require.NotEmpty(t, in.RunID)
				awaited = append(awaited, in.WorkflowID)
				return activities.RunEnd{Found: true, Success: in.WorkflowID != someDeployment.WorkflowID(testDAG, firstOfMonth.Add(5)), Error: "also broken"}, nil
			}).Times(4)
		})
		require.ErrorContains(t, r.err, "2 of 30 dates failed (2022-09-01, 2022-09-06): broken")
		require.Equal(t, 27, r.progress.Success)
		require.Equal(t, 30, r.progress.Done())
		require.Len(t, rest.starts, 22)
		require.Len(t, awaited, 4)
		for _, date := range rest.starts {
			require.NotContains(t, w.starts, date)
		}
		require.Equal(t, first.progress.Started.UTC(), r.progress.Started.UTC())
	})
}

// continued returns the input with which a range continued as new.
func continued(t *testing.T, err error) run.RangeInput {
	t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	require.Equal(t, run.RangeWorkflow, next.WorkflowType.Name)
	var in run.RangeInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	return in
}
