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

func TestRun_PausedStartsNoTaskAndLetsThoseAtWorkFinish(t *testing.T) {
	var refused []string
	var seen run.Status
	p := play(t, daily(), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			order(env, &refused, run.ResumeUpdate, run.Pause{})
			order(env, &refused, run.PauseUpdate, run.Pause{By: "ann"})
			order(env, &refused, run.PauseUpdate, run.Pause{By: "ann", Reason: "the source is being mended"})
			order(env, &refused, run.PauseUpdate, run.Pause{By: "bob", Reason: "me too"})
		}, 90*time.Second) // in the middle of cleaning
		env.RegisterDelayedCallback(func() {
			answer, err := env.QueryWorkflow(run.StatusQuery)
			require.NoError(t, err)
			require.NoError(t, answer.Get(&seen))
			order(env, &refused, run.ResumeUpdate, run.Pause{By: "ann", Reason: "mended"})
		}, time.Hour)
	})
	require.NoError(t, p.err)
	require.Len(t, refused, 3)
	require.Equal(t, "the run is not paused", refused[0])
	require.Contains(t, refused[1], "a pause needs a reason")
	require.Contains(t, refused[2], "the run is paused already: ann: the source is being mended (2022-10-20 12:01:30 UTC)")
	require.Equal(t, "ann: the source is being mended (2022-10-20 12:01:30 UTC)", seen.Paused)
	require.Equal(t, run.Success, seen.Tasks[1].State)
	require.Equal(t, run.Queued, seen.Tasks[4].State)
	require.Equal(t, "the run to be resumed", seen.Tasks[4].Waiting)
	require.Equal(t, time.Hour+time.Minute, p.took.Round(time.Second))
	require.Empty(t, p.status.Paused)
}

func TestRun_PausedStartsNoOtherTry(t *testing.T) {
	var refused []string
	tries := 0
	p := play(t, dag.DAG{{ID: "a", Do: Does(func(ctx workflow.Context, try TaskInstance) (Outcome, error) {
		if tries++; tries == 1 {
			return bad(ctx, try)
		}
		return Ok(ctx, try)
	})}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { order(env, &refused, run.PauseUpdate, run.Pause{Reason: "x"}) }, time.Second)
		env.RegisterDelayedCallback(func() {
			require.Equal(t, 1, tries)
			order(env, &refused, run.ResumeUpdate, run.Pause{})
		}, time.Hour)
	})
	require.NoError(t, p.err)
	require.Empty(t, refused)
	require.Equal(t, 2, tries)
}

func TestRun_ItsDeadlineCancelsWhatIsAtWorkAndFailsIt(t *testing.T) {
	for name, in := range map[string]run.Input{"of the input": {RunTimeout: 90 * time.Second}, "of the DAG": {}} {
		c := catalog(daily())
		c.DAGs[0].RunTimeout = 90 * time.Second
		in.DAG, in.Date = TestDAG, SomeDay
		p := playCatalog(t, c, in)
		require.Equal(t, 90*time.Second, p.took.Round(time.Second), name)
		require.False(t, temporal.IsCanceledError(p.err), "it failed; nobody cancelled it")
		require.ErrorContains(t, p.err, "was not done after its deadline of 1m30s")
		require.Equal(t, map[string]run.State{"load": run.Success, "clean_pin": run.Failed, "clean_geo": run.Failed, "clean_user": run.Failed, "query": run.Skipped}, states(p))
		require.Equal(t, "the run's deadline of 1m30s came", p.task("clean_pin").Error)
		require.Equal(t, "failed", p.entry.State)
	}
}

func TestRun_DoneInTimeItMeetsItsDeadline(t *testing.T) {
	p := play(t, daily(), run.Input{RunTimeout: 4 * time.Minute})
	require.NoError(t, p.err)
}

func TestRun_ADAGCanHoldInEveryRun(t *testing.T) {
	c := catalog(daily(func(d dag.DAG) { d[2].Do = Does(bad) }))
	c.DAGs[0].Hold = true
	var refused []string
	p := playCatalog(t, c, run.Input{DAG: TestDAG, Date: SomeDay}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			decide(env, run.Decision{Task: "clean_geo", Choice: run.SkipTask, Reason: "not needed"}, &refused)
		}, time.Hour)
	})
	require.Empty(t, refused)
	require.NoError(t, p.err)
}

func TestRun_TheRecordTellsEachTry(t *testing.T) {
	tries := 0
	p := play(t, dag.DAG{{ID: "a", Pool: "narrow", RetryDelay: time.Minute, Do: Does(func(ctx workflow.Context, try TaskInstance) (Outcome, error) {
		if tries++; tries == 1 {
			try.Report(Outcome{Link: "https://page/1", JobRunID: 1})
			return bad(ctx, try)
		}
		try.Report(Outcome{Link: "https://page/2", JobRunID: 2})
		_, err := Ok(ctx, try)
		return Outcome{Rows: 3, Link: "https://page/2", JobRunID: 2}, err
	})}}, run.Input{}, grantAll)
	require.NoError(t, p.err)
	history := p.entry.Tasks[0].History
	require.Len(t, history, 2)
	require.Equal(t, []any{1, "failed", "broken: SELECT nonsense", int64(1)}, []any{history[0].Number, history[0].State, history[0].Error, history[0].JobRunID})
	require.Equal(t, []any{2, "success", "", int64(2), "https://page/2"}, []any{history[1].Number, history[1].State, history[1].Error, history[1].JobRunID, history[1].Link})
	require.Equal(t, time.Minute, history[1].Started.Sub(history[0].Ended).Round(time.Second), "the delay between two tries is part of neither")
	require.NotNil(t, history[1].Granted)
	require.EqualValues(t, 3, p.entry.Tasks[0].Rows)
}

func TestRun_CancelledWhilePausedIsNotPausedAnyMore(t *testing.T) {
	var refusals []string
	p := play(t, daily(), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { order(env, &refusals, run.PauseUpdate, run.Pause{By: "ann", Reason: "wait"}) }, 30*time.Second)
		env.RegisterDelayedCallback(env.CancelWorkflow, 90*time.Second)
	})
	require.Error(t, p.err)
	require.Empty(t, refusals)
	require.Equal(t, run.Failed, p.status.State)
	require.Empty(t, p.status.Paused)
}
