package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

func TestRun(t *testing.T) {
	t.Run("children_run_in_parallel_after_their_parents", func(t *testing.T) {
		p := play(t, daily(), run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, 3*time.Minute, p.took.Round(time.Second))
		for _, task := range p.status.Tasks {
			require.Equal(t, run.Success, task.State, task.ID)
			require.Equal(t, 1, task.Tries)
		}
		require.Equal(t, p.task("load").Ended, p.task("clean_pin").Started)
		require.Equal(t, p.task("clean_user").Ended, p.task("query").Started)
	})

	t.Run("a_failed_task_does_not_stop_its_siblings", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[2].Do = does(bad) }), run.Input{})
		require.ErrorContains(t, p.err, "task clean_geo failed after 2 tries: broken: SELECT nonsense; task query is upstream_failed")
		require.Equal(t, run.Failed, p.task("clean_geo").State)
		require.Equal(t, "broken: SELECT nonsense", p.task("clean_geo").Error)
		require.Equal(t, run.Success, p.task("clean_pin").State)
		require.Equal(t, run.Success, p.task("clean_user").State)
		require.Equal(t, run.UpstreamFailed, p.task("query").State)
		require.Zero(t, p.task("query").Started, "it never started")
	})

	t.Run("fails_if_a_leaf_fails", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[2].Do = does(bad); d[4].TriggerRule = dag.AllDone }), run.Input{})
		require.NoError(t, p.err, "as in Airflow, a rule can absorb a failure")
		require.Equal(t, run.Failed, p.task("clean_geo").State)
		require.Equal(t, run.Success, p.task("query").State)
		require.Equal(t, run.Success, p.entry.State)
	})

	t.Run("a_new_try_starts_after_the_delay", func(t *testing.T) {
		var numbers []int
		p := play(t, dag.DAG{{ID: "a", Tries: 3, RetryDelay: time.Hour, Do: does(func(_ workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
			numbers = append(numbers, try.Number)
			if try.Number < 3 {
				return run.Outcome{}, errors.New("not yet")
			}
			return run.Outcome{}, nil
		})}}, run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, []int{1, 2, 3}, numbers)
		require.Equal(t, 2*time.Hour, p.took.Round(time.Second))
		require.Empty(t, p.task("a").Error, "an error of an earlier try is not the task's")
	})

	t.Run("between_tries_a_task_is_up_for_retry", func(t *testing.T) {
		var between run.Status
		play(t, dag.DAG{{ID: "a", RetryDelay: time.Hour, Do: does(bad)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				answer, err := env.QueryWorkflow(run.StatusQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&between))
			}, 30*time.Minute)
		})
		require.Equal(t, run.UpForRetry, between.Tasks[0].State)
		require.Equal(t, run.Running, between.State)
	})

	t.Run("an_operator_can_skip", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) {
			d[1].Do = does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
				return run.Outcome{}, fmt.Errorf("nothing new: %w", operators.ErrSkip)
			})
			d[4].TriggerRule = dag.NoneFailed
		}), run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, run.Skipped, p.task("clean_pin").State)
		require.Equal(t, 1, p.task("clean_pin").Tries)
		require.Equal(t, run.Success, p.task("query").State)
	})

	t.Run("cancelling_ends_tasks_and_writes_the_ledger", func(t *testing.T) {
		p := play(t, daily(), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, 90*time.Second)
		})
		require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
		require.Equal(t, run.Success, p.task("load").State)
		require.Equal(t, run.Cancelled, p.task("clean_geo").State)
		require.Equal(t, "the run was cancelled", p.task("clean_geo").Error)
		require.Equal(t, 1, p.task("clean_geo").Tries, "a cancelled task is not tried again")
		require.Equal(t, []any{run.Cancelled, "the run was cancelled"}, []any{p.task("clean_geo").History[0].State, p.task("clean_geo").History[0].Error})
		require.Equal(t, run.Cancelled, p.task("query").State, "it was kept from starting")
		require.Equal(t, "the run was cancelled before the task started", p.task("query").Error)
		require.Equal(t, run.Cancelled, p.entry.State)
		require.Equal(t, "cancelled", p.entry.Error)
		require.Len(t, p.entry.Tasks, 5)
	})

	t.Run("cancelling_after_all_tasks_are_final_changes_nothing", func(t *testing.T) {
		p := play(t, dag.DAG{{ID: "a", Do: does(ok)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(mock.Arguments) { env.CancelWorkflow() }).Return(nil).Once()
		})
		require.NoError(t, p.err)
		require.Equal(t, run.Success, p.entry.State)
	})

	t.Run("cancelling_between_tries_ends_the_run", func(t *testing.T) {
		p := play(t, dag.DAG{{ID: "a", RetryDelay: time.Hour, Do: does(bad)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		})
		require.True(t, temporal.IsCanceledError(p.err))
		require.Equal(t, time.Minute, p.took.Round(time.Second))
	})

	t.Run("a_failure_is_written_to_the_ledger", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[2].Do = does(bad) }), run.Input{Trigger: run.Scheduled, Params: map[string]string{"invalid_followers": "null"}})
		e := p.entry
		require.Equal(t, testDAG, e.DAG)
		require.Equal(t, someDay, e.Date)
		require.Equal(t, run.Failed, e.State)
		require.Equal(t, run.Scheduled, e.Trigger)
		require.Contains(t, e.Error, "broken: SELECT nonsense")
		require.Equal(t, map[string]string{"invalid_followers": "null"}, e.Params)
		require.NotEmpty(t, e.WorkflowID)
		require.NotEmpty(t, e.RunID)
		require.True(t, e.Ended.After(e.Started))
		require.Equal(t, "load", e.Tasks[0].ID)
		require.Equal(t, run.Success, e.Tasks[0].State)
		require.Equal(t, run.UpstreamFailed, e.Tasks[4].State)
		require.Zero(t, e.Tasks[4].Started)
		require.False(t, e.Partial)
		require.Equal(t, someDay.End(), e.Until)
	})

	t.Run("writing_the_ledger_is_retried_visibly", func(t *testing.T) {
		env := newEnv(t, catalog(daily()))
		var local atomic.Int32 // attempts as a local activity; their number depends on the SDK's clock
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ ledger.Entry) error {
			if activity.GetInfo(ctx).IsLocalActivity {
				local.Add(1)
				return errors.New("S3 is down")
			}
			return nil
		})
		var visible journal[string]
		env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converted) {
			visible.Add(info.ActivityType.Name)
		})
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay})
		require.NoError(t, env.GetWorkflowError())
		require.Positive(t, local.Load())
		require.Equal(t, []string{steps.WriteLedger}, visible.All(), "as a local activity first, then as one that the Web UI shows")
		env.AssertExpectations(t)
	})

	t.Run("a_date_that_is_not_over_is_partial", func(t *testing.T) {
		p := play(t, daily(), run.Input{Date: dates.Of(noon)})
		require.NoError(t, p.err)
		require.True(t, p.status.Partial)
		require.Equal(t, noon, p.status.Until.UTC())
		require.True(t, p.entry.Partial)
	})

	t.Run("the_tasks_that_read_the_source_know_whether_the_date_is_partial", func(t *testing.T) {
		reads := func(partial bool, until time.Time) func(dag.DAG) {
			return func(d dag.DAG) {
				d[0].Do = does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
					return run.Outcome{Until: until, Partial: partial}, nil
				})
			}
		}
		today := dates.Of(noon)
		p := play(t, daily(reads(false, today.End())), run.Input{Date: today})
		require.False(t, p.status.Partial, "it started before midnight, but planned after")
		p = play(t, daily(reads(true, noon.Add(-time.Hour))), run.Input{Date: today})
		require.True(t, p.entry.Partial)
		require.Equal(t, noon.Add(-time.Hour), p.entry.Until.UTC())
		second := func(d dag.DAG) {
			d[4].Do = does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
				return run.Outcome{Until: today.End()}, nil
			})
		}
		p = play(t, daily(reads(true, noon), second), run.Input{Date: today})
		require.True(t, p.entry.Partial, "one partial task makes the run partial")
		require.Equal(t, noon, p.entry.Until.UTC())
	})

	t.Run("invalid_input_is_not_retried", func(t *testing.T) {
		for name, c := range map[string]struct {
			in   run.Input
			want string
		}{
			"future date":         {run.Input{DAG: testDAG, Date: "2022-10-21"}, "date: 2022-10-21 is in the future and has no data yet; it can run from 2022-10-21 00:00:00 UTC"},
			"no date":             {run.Input{DAG: testDAG, Date: "yesterday"}, `date: "yesterday" is not a date: write it as YYYY-MM-DD`},
			"unknown DAG":         {run.Input{DAG: "weekly", Date: someDay}, `no DAG "weekly"; the DAGs are test, pipeline`},
			"unknown tasks":       {run.Input{DAG: testDAG, Date: someDay, RerunTasks: dag.Tasks{"cleen"}}, `no task "cleen" in this DAG`},
			"unknown parameter":   {run.Input{DAG: testDAG, Date: someDay, Params: map[string]string{"shema": "main"}}, `parameter "shema" is unknown; a run may set invalid_followers, x`},
			"wrong value":         {run.Input{DAG: testDAG, Date: someDay, Params: map[string]string{"invalid_followers": "maybe"}}, `parameter invalid_followers="maybe": want quarantine or null`},
			"date as a parameter": {run.Input{DAG: testDAG, Date: someDay, Params: map[string]string{"logical_date": "2022-10-17"}}, `parameter "logical_date" is unknown`},
		} {
			t.Run(name, func(t *testing.T) {
				env := newEnv(t, catalog(daily()))
				env.ExecuteWorkflow(run.RunWorkflow, c.in)
				requireInvalidInput(t, env.GetWorkflowError(), c.want)
			})
		}
	})

	t.Run("the_ledger_keeps_the_status_of_the_run", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[2].Do = does(bad); d[3].Pool = "narrow" }), run.Input{TriggeredBy: "ann", Tags: []string{"repair"}}, atOnce)
		status, err := json.Marshal(p.status)
		require.NoError(t, err)
		kept, err := json.Marshal(p.entry.Status)
		require.NoError(t, err)
		require.JSONEq(t, string(status), string(kept))
		user := p.entry.Task("clean_user")
		require.Equal(t, []string{"load"}, user.After)
		require.Equal(t, "all_success", user.TriggerRule)
		require.Equal(t, "narrow", user.Pool)
		require.Equal(t, "ann", p.entry.TriggeredBy)
	})

	t.Run("an_operator_without_run_is_rejected", func(t *testing.T) {
		env := newEnv(t, catalog(dag.DAG{{ID: "a", Do: effectsOnly{}}}))
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay})
		requireInvalidInput(t, env.GetWorkflowError(), "task a: workflows.effectsOnly cannot run: its operator needs a method Run")
	})
}

// effectsOnly is an operator that validation accepts and that cannot run.
type effectsOnly struct{}

func (effectsOnly) Effects() dag.Effects { return dag.Effects{} }

func requireInvalidInput(t *testing.T, err error, words ...string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
	require.Equal(t, failure.InvalidInput, app.Type())
	for _, word := range words {
		require.Contains(t, app.Message(), word)
	}
}
