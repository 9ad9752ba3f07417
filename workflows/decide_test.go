package workflows

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// takes returns an operator that succeeds after that time.
func takes(d time.Duration) does {
	return func(ctx workflow.Context, _ operators.TaskInstance) (run.Outcome, error) {
		return run.Outcome{}, workflow.Sleep(ctx, d)
	}
}

// failsOnce is an operator whose first try fails.
func failsOnce(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	if try.Number == 1 {
		return bad(ctx, try)
	}
	return ok(ctx, try)
}

// decidable is a DAG with task a, which a decision is about, its child b, and a task that keeps the
// run open.
func decidable(change func(a *dag.Task)) dag.DAG {
	d := dag.DAG{
		{ID: "up", Do: does(ok)},
		{ID: "a", After: dag.Tasks{"up"}, Tries: 1, Do: does(ok)},
		{ID: "b", After: dag.Tasks{"a"}, Do: does(ok)},
		{ID: "open", Do: takes(10 * time.Hour)},
	}
	change(&d[1])
	return d
}

// queryStatus returns the status of the run at this moment.
func queryStatus(t *testing.T, env *testsuite.TestWorkflowEnvironment) run.Status {
	t.Helper()
	var status run.Status
	answer, err := env.QueryWorkflow(run.StatusQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&status))
	return status
}

// TestDecisions holds what each decision does to a task in each state: an hour after the start of
// the run, unless the state is that of a task that has not started.
func TestDecisions(t *testing.T) {
	skipOnce := func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
		if try.Number == 1 {
			return run.Outcome{}, operators.ErrSkip
		}
		return ok(ctx, try)
	}
	setups := map[run.State]struct {
		change func(a *dag.Task)
		hold   bool
		at     time.Duration
	}{
		run.None:           {func(*dag.Task) {}, false, 30 * time.Second},
		run.Queued:         {func(a *dag.Task) { a.DependsOnPast = true }, false, time.Hour},
		run.Running:        {func(a *dag.Task) { a.Do = takes(2 * time.Hour) }, false, time.Hour},
		run.UpForRetry:     {func(a *dag.Task) { a.Do, a.Tries, a.RetryDelay = does(failsOnce), 2, 3*time.Hour }, false, time.Hour},
		run.Held:           {func(a *dag.Task) { a.Do = does(failsOnce) }, true, time.Hour},
		run.Success:        {func(*dag.Task) {}, false, time.Hour},
		run.Failed:         {func(a *dag.Task) { a.Do = does(failsOnce) }, false, time.Hour},
		run.UpstreamFailed: {func(a *dag.Task) { a.After, a.TriggerRule = dag.Tasks{"up"}, dag.AllSuccess }, false, time.Hour},
		run.Skipped:        {func(a *dag.Task) { a.Do = does(skipOnce) }, false, time.Hour},
	}
	// want is the end of tasks a and b, and the number of a's tries. An error is that of a rejected
	// decision.
	type want struct {
		a, b  run.State
		tries int
		err   string
	}
	for state, wants := range map[run.State]map[run.Choice]want{
		run.None: {
			run.RetryTask:   {run.Success, run.Success, 1, "task a is none: no try of it has started; possible: skip, fail, succeed"},
			run.SkipTask:    {run.Skipped, run.Skipped, 0, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 0, ""},
			run.SucceedTask: {run.Success, run.Success, 0, ""},
		},
		run.Queued: {
			run.RetryTask:   {run.Success, run.Success, 1, "task a is queued: its next try starts as soon as it can; it waits for a of 2022-10-17; possible: skip, fail, succeed"},
			run.SkipTask:    {run.Skipped, run.Skipped, 0, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 0, ""},
			run.SucceedTask: {run.Success, run.Success, 0, ""},
		},
		run.Running: {
			run.RetryTask:   {run.Success, run.Success, 2, ""},
			run.SkipTask:    {run.Skipped, run.Skipped, 1, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 1, ""},
			run.SucceedTask: {run.Success, run.Success, 1, ""},
		},
		run.UpForRetry: {
			run.RetryTask:   {run.Success, run.Success, 2, ""},
			run.SkipTask:    {run.Skipped, run.Skipped, 1, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 1, ""},
			run.SucceedTask: {run.Success, run.Success, 1, ""},
		},
		run.Held: {
			run.RetryTask:   {run.Success, run.Success, 2, ""},
			run.SkipTask:    {run.Skipped, run.Skipped, 1, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 1, ""},
			run.SucceedTask: {run.Success, run.Success, 1, ""},
		},
		run.Success: {
			run.RetryTask:   {run.Success, run.Success, 2, ""},
			run.SkipTask:    {run.Skipped, run.Success, 1, ""}, // b has run with its result
			run.FailTask:    {run.Failed, run.Success, 1, ""},
			run.SucceedTask: {run.Success, run.Success, 1, "task a is success already; possible: retry, skip, fail"},
		},
		run.Failed: {
			run.RetryTask:   {run.Success, run.Success, 2, ""},
			run.SkipTask:    {run.Skipped, run.Skipped, 1, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 1, "task a is failed already; possible: retry, skip, succeed"},
			run.SucceedTask: {run.Success, run.Success, 1, ""},
		},
		run.UpstreamFailed: {
			run.RetryTask:   {run.UpstreamFailed, run.UpstreamFailed, 0, "task a is upstream_failed and would be again: retry what failed above it (up); possible: skip, fail, succeed"},
			run.SkipTask:    {run.Skipped, run.Skipped, 0, ""},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 0, ""},
			run.SucceedTask: {run.Success, run.Success, 0, ""},
		},
		run.Skipped: {
			run.RetryTask:   {run.Success, run.Success, 2, ""},
			run.SkipTask:    {run.Skipped, run.Skipped, 1, "task a is skipped already; possible: retry, fail, succeed"},
			run.FailTask:    {run.Failed, run.UpstreamFailed, 1, ""},
			run.SucceedTask: {run.Success, run.Success, 1, ""},
		},
	} {
		for choice, w := range wants {
			t.Run(fmt.Sprintf("%s/%s", state, choice), func(t *testing.T) {
				setup := setups[state]
				table := decidable(setup.change)
				if state == run.UpstreamFailed {
					table[0].Do, table[0].Tries = does(bad), 1
				}
				var before, after run.Status
				var rejected []string
				p := play(t, table, run.Input{Hold: setup.hold}, func(env *testsuite.TestWorkflowEnvironment) {
					if state == run.Queued {
						env.OnActivity(steps.CheckPast, mock.Anything, mock.Anything).Return(nil).After(2 * time.Hour).Maybe()
					}
					env.RegisterDelayedCallback(func() {
						before = queryStatus(t, env)
						decide(env, run.Decision{Task: "a", Choice: choice, By: "ann", Reason: "so be it"}, &rejected)
					}, setup.at)
					env.RegisterDelayedCallback(func() { after = queryStatus(t, env) }, setup.at+10*time.Second)
				})
				require.Equal(t, state, before.Task("a").State, "the state in which the decision came")
				require.Equal(t, []run.State{w.a, w.b}, []run.State{p.task("a").State, p.task("b").State})
				require.Equal(t, w.tries, p.task("a").Tries)
				require.Len(t, p.task("a").History, w.tries)
				if w.err != "" {
					require.Equal(t, []string{w.err}, rejected)
					return
				}
				require.Empty(t, rejected)
				require.Equal(t, string(choice)+" by ann: so be it", after.Task("a").Decision, "the views show it at once")
				require.Equal(t, string(choice)+" by ann: so be it", p.entry.Task("a").Decision)
				require.NotEqual(t, []any{state, before.Task("a").Tries}, []any{after.Task("a").State, after.Task("a").Tries}, "it is carried out at once")
				if w.a == run.Success || w.a == run.Skipped {
					require.Empty(t, p.entry.Task("a").Error, "what was resolved is no error")
				}
				if w.a == run.Failed {
					require.NotEmpty(t, p.entry.Task("a").Error)
				}
			})
		}
	}
}

func TestDecisionsOnRunningTasks(t *testing.T) {
	// slowToCancel is an operator whose work takes a day, and a minute to be cancelled, as a
	// Databricks run does.
	slowToCancel := func(ctx workflow.Context, _ operators.TaskInstance) (run.Outcome, error) {
		err := workflow.Sleep(ctx, 24*time.Hour)
		if ctx.Err() != nil {
			ctx, done := workflow.NewDisconnectedContext(ctx)
			defer done()
			return run.Outcome{}, errors.Join(err, workflow.Sleep(ctx, time.Minute))
		}
		return run.Outcome{}, err
	}

	t.Run("are_carried_out_when_the_current_try_has_ended", func(t *testing.T) {
		var meanwhile run.Status
		var rejected []string
		p := play(t, decidable(func(a *dag.Task) { a.Do = does(slowToCancel) }), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "a", Choice: run.SucceedTask, By: "ann", Reason: "done by hand"}, &rejected)
			}, time.Hour)
			env.RegisterDelayedCallback(func() {
				meanwhile = queryStatus(t, env)
				decide(env, run.Decision{Task: "a", Choice: run.FailTask, By: "bob", Reason: "no"}, &rejected)
			}, time.Hour+30*time.Second)
		})
		require.NoError(t, p.err)
		require.Equal(t, run.Running, meanwhile.Task("a").State)
		require.Equal(t, run.None, meanwhile.Task("b").State, "the children wait for the end of the try")
		require.Equal(t, "succeed by ann: done by hand", meanwhile.Task("a").Decision)
		require.Equal(t, "its current try to be cancelled", meanwhile.Task("a").Waiting)
		require.Equal(t, []string{"task a already has a decision, which is carried out when its current try has ended: succeed by ann: done by hand"}, rejected)
		a := p.task("a")
		require.Equal(t, noon.Add(time.Hour+time.Minute), a.Ended.UTC())
		require.Len(t, a.History, 1)
		require.Equal(t, run.Cancelled, a.History[0].State)
		require.Equal(t, "cancelled: succeed by ann: done by hand", a.History[0].Error, "the history of tries has who and why")
		require.Equal(t, a.Ended, p.task("b").Started)
	})

	t.Run("a_retry_has_all_its_tries_left", func(t *testing.T) {
		var rejected []string
		p := play(t, decidable(func(a *dag.Task) {
			a.Tries, a.RetryDelay = 2, time.Minute
			a.Do = does(func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
				switch try.Number {
				case 1:
					return slowToCancel(ctx, try)
				case 2:
					return bad(ctx, try)
				}
				return ok(ctx, try)
			})
		}), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "a", Choice: run.RetryTask, Reason: "it hangs"}, &rejected)
			}, time.Hour)
		})
		require.Empty(t, rejected)
		require.NoError(t, p.err)
		require.Equal(t, 3, p.task("a").Tries, "the cancelled try does not count")
	})

	t.Run("cancelling_the_run_wins_over_a_retry", func(t *testing.T) {
		for choice, want := range map[run.Choice]struct {
			failed bool
			tries  int
		}{run.RetryTask: {true, 1}, run.SucceedTask: {false, 1}} {
			var rejected []string
			p := play(t, decidable(func(a *dag.Task) { a.Do = does(slowToCancel) }), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					decide(env, run.Decision{Task: "a", Choice: choice, Reason: "x"}, &rejected)
				}, time.Hour)
				env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour+30*time.Second)
				env.RegisterDelayedCallback(func() {
					decide(env, run.Decision{Task: "open", Choice: run.RetryTask, Reason: "x"}, &rejected)
				}, time.Hour+40*time.Second)
			})
			require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
			require.Equal(t, want.failed, p.task("a").State != run.Success, choice)
			require.Equal(t, want.tries, p.task("a").Tries, "no try starts in a cancelled run")
			require.Len(t, rejected, 1)
			require.Contains(t, rejected[0], "the run was cancelled")
		}
	})

	t.Run("a_queued_task_withdraws_its_request", func(t *testing.T) {
		var rejected []string
		var fake *fakePools
		p := play(t, decidable(func(a *dag.Task) { a.Pool = "narrow" }), run.Input{Trigger: run.Backfill}, playPools(func(p *fakePools, _ run.Request) {
			fake = p
			p.after(20*time.Minute, func() {
				require.Equal(t, run.Queued, queryStatus(t, p.env).Task("a").State)
				decide(p.env, run.Decision{Task: "a", Choice: run.SkipTask, Reason: "not today"}, &rejected)
			})
		}))
		require.Empty(t, rejected)
		require.Equal(t, run.Skipped, p.task("a").State)
		require.Equal(t, "a", fake.messages.All()[1].Withdraw.Task)
	})

	t.Run("a_task_of_a_paused_run_takes_a_decision", func(t *testing.T) {
		var rejected []string
		p := play(t, decidable(func(*dag.Task) {}), run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(run.PauseUpdate, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { rejected = append(rejected, err.Error()) }, OnComplete: func(any, error) {}}, run.Pause{Reason: "x"})
			}, 10*time.Second)
			env.RegisterDelayedCallback(func() {
				require.Equal(t, "the run to be resumed", queryStatus(t, env).Task("a").Waiting)
				decide(env, run.Decision{Task: "a", Choice: run.SucceedTask, Reason: "x"}, &rejected)
			}, time.Hour)
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(run.ResumeUpdate, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { rejected = append(rejected, err.Error()) }, OnComplete: func(any, error) {}}, run.Pause{Reason: "x"})
			}, 2*time.Hour)
		})
		require.Empty(t, rejected)
		require.Equal(t, run.Success, p.task("a").State)
		require.Zero(t, p.task("a").Tries)
		require.Empty(t, p.task("a").Waiting)
	})
}
