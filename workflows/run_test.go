package workflows

import (
	"context"
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
)

func TestRun_ChildrenRunInParallelAfterTheirParents(t *testing.T) {
	p := play(t, daily(), run.Input{})
	require.NoError(t, p.err)
	require.Equal(t, 3*time.Minute, p.took.Round(time.Second))
	for _, task := range p.status.Tasks {
		require.Equal(t, run.Success, task.State, task.ID)
		require.Equal(t, 1, task.Tries)
	}
	require.Equal(t, p.task("load").Ended, p.task("clean_pin").Started)
	require.Equal(t, p.task("clean_user").Ended, p.task("query").Started)
}

func TestRun_SiblingsSurviveAFailure(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[2].Do = Does(bad) }), run.Input{})
	require.ErrorContains(t, p.err, "task clean_geo failed after 2 tries: broken: SELECT nonsense; task query is upstream_failed")
	require.Equal(t, run.Failed, p.task("clean_geo").State)
	require.Equal(t, "broken: SELECT nonsense", p.task("clean_geo").Error)
	require.Equal(t, run.Success, p.task("clean_pin").State)
	require.Equal(t, run.Success, p.task("clean_user").State)
	require.Equal(t, run.UpstreamFailed, p.task("query").State)
	require.Zero(t, p.task("query").Started, "it never started")
}

func TestRun_FailsOnlyByItsLeaves(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[2].Do = Does(bad); d[4].TriggerRule = dag.AllDone }), run.Input{})
	require.NoError(t, p.err, "a rule that absorbs the failure makes the run a success, as in Airflow")
	require.Equal(t, run.Failed, p.task("clean_geo").State)
	require.Equal(t, run.Success, p.task("query").State)
	require.Equal(t, "success", p.entry.State)
}

func TestRun_AFailedTryIsFollowedByANewOneAfterTheDelay(t *testing.T) {
	var numbers []int
	p := play(t, dag.DAG{{ID: "a", Tries: 3, RetryDelay: time.Hour, Do: Does(func(_ workflow.Context, try TaskInstance) (Outcome, error) {
		numbers = append(numbers, try.Number)
		if try.Number < 3 {
			return Outcome{}, errors.New("not yet")
		}
		return Outcome{}, nil
	})}}, run.Input{})
	require.NoError(t, p.err)
	require.Equal(t, []int{1, 2, 3}, numbers)
	require.Equal(t, 2*time.Hour, p.took.Round(time.Second))
	require.Empty(t, p.task("a").Error, "what a later try mended is no error")
}

func TestRun_BetweenTriesATaskIsUpForRetry(t *testing.T) {
	var between run.Status
	play(t, dag.DAG{{ID: "a", RetryDelay: time.Hour, Do: Does(bad)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			answer, err := env.QueryWorkflow(run.StatusQuery)
			require.NoError(t, err)
			require.NoError(t, answer.Get(&between))
		}, 30*time.Minute)
	})
	require.Equal(t, run.UpForRetry, between.Tasks[0].State)
	require.Equal(t, run.Running, between.State)
}

func TestRun_ADeadlineFailsATry(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[0].Timeout = 10 * time.Second }), run.Input{})
	require.Equal(t, "not done after its deadline of 10s", p.task("load").Error)
	require.Equal(t, 2, p.task("load").Tries)
	require.Equal(t, run.UpstreamFailed, p.task("query").State)
	require.Equal(t, 30*time.Second, p.took.Round(time.Second), "two tries and the delay")
}

func TestRun_WorkDoneInTimeMeetsItsDeadline(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[0].Timeout = 2 * time.Minute }), run.Input{})
	require.NoError(t, p.err)
	require.Equal(t, 3*time.Minute, p.took.Round(time.Second), "the deadline's timer does not keep the run")
}

func TestRun_AnOperatorCanSkip(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) {
		d[1].Do = Does(func(workflow.Context, TaskInstance) (Outcome, error) {
			return Outcome{}, fmt.Errorf("nothing new: %w", ErrSkip)
		})
		d[4].TriggerRule = dag.NoneFailed
	}), run.Input{})
	require.NoError(t, p.err)
	require.Equal(t, run.Skipped, p.task("clean_pin").State)
	require.Equal(t, 1, p.task("clean_pin").Tries)
	require.Equal(t, run.Success, p.task("query").State)
}

func TestRun_CancellingEndsTasksAndIsRecorded(t *testing.T) {
	p := play(t, daily(), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 90*time.Second)
	})
	require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
	require.Equal(t, run.Success, p.task("load").State)
	require.Equal(t, run.Failed, p.task("clean_geo").State)
	require.Equal(t, "the run was cancelled", p.task("clean_geo").Error)
	require.Equal(t, 1, p.task("clean_geo").Tries, "a cancelled task is not tried again")
	require.Equal(t, run.Skipped, p.task("query").State)
	require.Equal(t, "failed", p.entry.State)
	require.Equal(t, "cancelled", p.entry.Error)
	require.Len(t, p.entry.Tasks, 5)
}

func TestRun_CancellingWhenAllIsDoneChangesNothing(t *testing.T) {
	p := play(t, dag.DAG{{ID: "a", Do: Does(Ok)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(mock.Arguments) { env.CancelWorkflow() }).Return(nil).Once()
	})
	require.NoError(t, p.err)
	require.Equal(t, "success", p.entry.State)
}

func TestRun_CancellingBetweenTriesEndsIt(t *testing.T) {
	p := play(t, dag.DAG{{ID: "a", RetryDelay: time.Hour, Do: Does(bad)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	})
	require.True(t, temporal.IsCanceledError(p.err))
	require.Equal(t, time.Minute, p.took.Round(time.Second))
}

func TestRun_TheLedgerIsToldAlsoOfAFailure(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[2].Do = Does(bad) }), run.Input{Trigger: run.Scheduled, Params: map[string]string{"invalid_followers": "null"}})
	e := p.entry
	require.Equal(t, TestDAG, e.DAG)
	require.Equal(t, SomeDay, e.Date)
	require.Equal(t, "failed", e.State)
	require.Equal(t, "schedule", e.Trigger)
	require.Contains(t, e.Error, "broken: SELECT nonsense")
	require.Equal(t, map[string]string{"invalid_followers": "null"}, e.Params)
	require.NotEmpty(t, e.WorkflowID)
	require.NotEmpty(t, e.RunID)
	require.True(t, e.Ended.After(e.Started))
	require.Equal(t, "load", e.Tasks[0].ID)
	require.Equal(t, "success", e.Tasks[0].State)
	require.Equal(t, "upstream_failed", e.Tasks[4].State)
	require.Nil(t, e.Tasks[4].Started)
	require.False(t, e.Partial)
	require.Equal(t, SomeDay.End(), *e.Until)
}

func TestRun_ALedgerThatCannotBeWrittenAtOnceIsWrittenLater(t *testing.T) {
	env := newEnv(t, catalog(daily()))
	var inside atomic.Int32 // attempts inside the workflow task; how many there are is up to the SDK's clock
	env.OnActivity(writeLedger, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ ledger.Entry) error {
		if activity.GetInfo(ctx).IsLocalActivity {
			inside.Add(1)
			return errors.New("S3 is away")
		}
		return nil
	})
	var visible journal[string]
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converted) {
		visible.add(info.ActivityType.Name)
	})
	env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: TestDAG, Date: SomeDay})
	require.NoError(t, env.GetWorkflowError())
	require.Positive(t, inside.Load())
	require.Equal(t, []string{writeLedger}, visible.all(), "inside the workflow task first, then as an activity that is seen")
	env.AssertExpectations(t)
}

func TestRun_ADateThatIsNotOverIsPartial(t *testing.T) {
	p := play(t, daily(), run.Input{Date: dates.Of(noon)})
	require.NoError(t, p.err)
	require.True(t, p.status.Partial)
	require.Equal(t, noon, p.status.Until.UTC())
	require.True(t, p.entry.Partial)
}

func TestRun_WhatReadTheSourceKnowsWhetherTheDateIsPartial(t *testing.T) {
	reads := func(partial bool, until time.Time) func(dag.DAG) {
		return func(d dag.DAG) {
			d[0].Do = Does(func(workflow.Context, TaskInstance) (Outcome, error) {
				return Outcome{Until: until, Partial: partial}, nil
			})
		}
	}
	today := dates.Of(noon)
	p := play(t, daily(reads(false, today.End())), run.Input{Date: today})
	require.False(t, p.status.Partial, "planned after midnight, though it started before")
	p = play(t, daily(reads(true, noon.Add(-time.Hour))), run.Input{Date: today})
	require.True(t, p.entry.Partial)
	require.Equal(t, noon.Add(-time.Hour), p.entry.Until.UTC())
	second := func(d dag.DAG) {
		d[4].Do = Does(func(workflow.Context, TaskInstance) (Outcome, error) { return Outcome{Until: today.End()}, nil })
	}
	p = play(t, daily(reads(true, noon), second), run.Input{Date: today})
	require.True(t, p.entry.Partial, "a run is as partial as the worst of its tasks")
	require.Equal(t, noon, p.entry.Until.UTC())
}

func TestRun_WrongInputFailsForGood(t *testing.T) {
	for name, c := range map[string]struct {
		in   run.Input
		want string
	}{
		"future date":   {run.Input{DAG: TestDAG, Date: "2022-10-21"}, "date: 2022-10-21 is in the future: its data does not exist yet; it can be run from 2022-10-21 00:00:00 UTC on"},
		"no date":       {run.Input{DAG: TestDAG, Date: "yesterday"}, `date: "yesterday" is not a date: write it as YYYY-MM-DD`},
		"unknown DAG":   {run.Input{DAG: "weekly", Date: SomeDay}, `no DAG "weekly": there are test, pinterest-daily`},
		"unknown tasks": {run.Input{DAG: TestDAG, Date: SomeDay, RerunTasks: dag.Tasks{"cleen"}}, `no task "cleen" in this DAG`},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t, catalog(daily()))
			env.ExecuteWorkflow(run.RunWorkflow, c.in)
			err := env.GetWorkflowError()
			require.ErrorContains(t, err, c.want)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.True(t, app.NonRetryable())
			require.Equal(t, failure.InvalidInput, app.Type())
		})
	}
}

func TestRun_StatusIsThatOfTheLedger(t *testing.T) {
	p := play(t, daily(func(d dag.DAG) { d[2].Do = Does(bad); d[3].Pool = "narrow" }), run.Input{}, grantAll)
	status := StatusOf(p.entry, daily(func(d dag.DAG) { d[3].Pool = "narrow" }))
	require.Equal(t, utc(p.status), utc(status))
	removed := StatusOf(p.entry, daily()[:4])
	require.Equal(t, "query", removed.Tasks[4].ID, "a task that the DAG no longer has is still shown")
}

// utc makes times comparable that came through JSON.
func utc(s run.Status) run.Status {
	for _, at := range []*time.Time{&s.Until, &s.Started, &s.Ended} {
		*at = at.UTC()
	}
	for i := range s.Tasks {
		s.Tasks[i].Started, s.Tasks[i].Ended = s.Tasks[i].Started.UTC(), s.Tasks[i].Ended.UTC()
	}
	return s
}
