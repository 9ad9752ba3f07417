package workflows

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// pooled is a DAG with two tasks that share one slot.
func pooled() dag.DAG {
	return dag.DAG{{ID: "a", Pool: "narrow", Do: does(ok)}, {ID: "b", Pool: "narrow", Do: does(ok)}}
}

// onePool is a DAG of one task with a pool.
func onePool() dag.DAG { return dag.DAG{{ID: "a", Pool: "narrow", Tries: 1, Do: does(ok)}} }

// fakePools is a Pools workflow that a test plays.
type fakePools struct {
	env      *testsuite.TestWorkflowEnvironment
	messages journal[run.PoolsMessage]
	tokens   map[string][]byte // of the activities that wait for an answer; by task
}

// playPools mocks the Pools workflow. The function is called with each request when its activity
// waits for the answer.
func playPools(requested func(p *fakePools, request run.Request)) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		p := &fakePools{env: env, tokens: map[string][]byte{}}
		env.OnActivity(steps.SendToPools, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.PoolsMessage) error {
			p.messages.Add(m)
			if m.Withdraw != nil && m.Withdraw.Task != "" {
				env.RegisterDelayedCallback(func() { p.cancelled(m.Withdraw.Task) }, 0)
			}
			return nil
		}).Maybe()
		env.OnActivity(steps.RunInPool, mock.Anything, mock.Anything).Return(func(ctx context.Context, request run.Request) (run.WorkDone, error) {
			token := activity.GetInfo(ctx).TaskToken
			env.RegisterDelayedCallback(func() {
				p.tokens[request.Task] = token
				requested(p, request)
			}, 0)
			return run.WorkDone{}, activity.ErrResultPending
		})
	}
}

func (p *fakePools) after(d time.Duration, do func()) { p.env.RegisterDelayedCallback(do, d) }

func (p *fakePools) started(r run.Request, out run.Outcome) {
	p.env.SignalWorkflow(run.StartedSignal, run.WorkStarted{RunID: r.RunID, Task: r.Task, Try: r.Try, Started: p.env.Now(), Link: out.Link, JobRunID: out.JobRunID})
}

func (p *fakePools) done(r run.Request, done run.WorkDone) {
	_ = p.env.CompleteActivity(p.tokens[r.Task], done, nil)
}

func (p *fakePools) failed(r run.Request, done run.WorkDone, kind, message string) {
	_ = p.env.CompleteActivity(p.tokens[r.Task], nil, temporal.NewNonRetryableApplicationError(message, kind, nil, done))
}

func (p *fakePools) cancelled(task string) {
	_ = p.env.CompleteActivity(p.tokens[task], nil, temporal.NewCanceledError())
}

// atOnce starts the work of each request when it comes, and lets it succeed.
var atOnce = playPools(func(p *fakePools, r run.Request) {
	p.started(r, run.Outcome{})
	p.done(r, run.WorkDone{Started: p.env.Now()})
})

func TestRequests(t *testing.T) {
	status := func(env *testsuite.TestWorkflowEnvironment) (s run.Status) {
		answer, err := env.QueryWorkflow(run.StatusQuery)
		require.NoError(t, err)
		require.NoError(t, answer.Get(&s))
		return s
	}

	t.Run("a_task_waits_for_its_pool_and_shows_when_its_work_starts", func(t *testing.T) {
		var waiting, working run.Status
		var open []run.OpenRequest
		var requests []run.Request
		p := play(t, pooled(), run.Input{Trigger: run.Backfill, Params: map[string]string{"x": "1"}}, playPools(func(p *fakePools, r run.Request) {
			requests = append(requests, r)
			wait := map[string]time.Duration{"a": 0, "b": 10 * time.Minute}[r.Task]
			p.after(wait, func() {
				if r.Task == "b" {
					waiting = status(p.env)
				}
				p.started(r, run.Outcome{Link: "https://databricks/" + r.Task, JobRunID: 7})
			})
			p.after(wait+30*time.Second, func() {
				working = status(p.env)
				answer, err := p.env.QueryWorkflow(run.RequestsQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&open))
			})
			p.after(wait+time.Minute, func() {
				p.done(r, run.WorkDone{Started: p.env.Now().Add(-time.Minute), Outcome: run.Outcome{Rows: 9, Link: "https://databricks/" + r.Task}})
			})
		}))
		require.NoError(t, p.err)
		require.Equal(t, run.Success, waiting.Tasks[0].State)
		require.Equal(t, run.Queued, waiting.Tasks[1].State)
		require.Equal(t, "a slot of pool narrow", waiting.Tasks[1].Waiting)
		require.NotZero(t, waiting.Tasks[1].Trying.Queued)
		require.Zero(t, waiting.Tasks[1].Trying.Granted)
		require.Equal(t, run.Running, working.Tasks[1].State)
		require.Equal(t, "https://databricks/b", working.Tasks[1].Link)
		require.Equal(t, 10*time.Minute, working.Tasks[1].Trying.Granted.Sub(working.Tasks[1].Trying.Queued))
		require.Equal(t, working.Tasks[1].Trying.Granted, p.task("b").History[0].Granted)
		require.EqualValues(t, 9, p.task("b").Rows)
		require.Equal(t, 11*time.Minute, p.took.Round(time.Second))
		require.Len(t, open, 1)
		require.True(t, open[0].Started)
		require.Equal(t, "b", open[0].Task)
		require.Len(t, requests, 2)
		first := requests[slices.IndexFunc(requests, func(r run.Request) bool { return r.Task == "a" })]
		require.Equal(t, []any{"narrow", 1, 5, 1, "a-try-1", someDay, testDAG, map[string]string{"x": "1"}},
			[]any{first.Pool, first.Slots, first.Priority, first.Try, first.ActivityID, first.Date, first.DAG, first.Params})
	})

	t.Run("a_failure_of_the_work_is_that_of_the_try", func(t *testing.T) {
		p := play(t, onePool(), run.Input{}, playPools(func(p *fakePools, r run.Request) {
			p.failed(r, run.WorkDone{Outcome: run.Outcome{Link: "https://databricks/1", NotebookHash: "abc"}}, failure.NotebookFailed, "no table geo")
		}))
		require.ErrorContains(t, p.err, "no table geo")
		require.Equal(t, []any{run.Failed, "no table geo", "https://databricks/1", "abc"},
			[]any{p.task("a").State, p.task("a").Error, p.task("a").Link, p.task("a").NotebookHash})
	})

	t.Run("work_that_skips_its_task_skips_it", func(t *testing.T) {
		p := play(t, onePool(), run.Input{}, playPools(func(p *fakePools, r run.Request) { p.failed(r, run.WorkDone{}, operators.SkipType, "skip") }))
		require.NoError(t, p.err)
		require.Equal(t, run.Skipped, p.task("a").State)
	})

	t.Run("a_cancelled_run_withdraws_its_request_and_waits_for_the_end_of_the_work", func(t *testing.T) {
		var fake *fakePools
		p := play(t, onePool(), run.Input{Trigger: run.Backfill}, playPools(func(p *fakePools, r run.Request) {
			fake = p
			p.after(time.Minute, p.env.CancelWorkflow)
		}))
		require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
		messages := fake.messages.All()
		require.Len(t, messages, 2)
		require.NotNil(t, messages[0].Request)
		require.Equal(t, &run.Withdrawal{WorkflowID: messages[0].Request.WorkflowID, RunID: messages[0].Request.RunID, Task: "a"}, messages[1].Withdraw)
	})

	// Otherwise the request could arrive after its withdrawal: nobody would withdraw it again.
	t.Run("a_cancellation_does_not_interrupt_the_message_with_the_request", func(t *testing.T) {
		var arrived journal[string]
		p := play(t, onePool(), run.Input{Trigger: run.Backfill}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.SendToPools, mock.Anything, mock.Anything).Return(func(ctx context.Context, m run.PoolsMessage) error {
				if m.Withdraw != nil {
					arrived.Add("withdrawal")
					return nil
				}
				env.CancelWorkflow()
				time.Sleep(100 * time.Millisecond) // Temporal is slow
				if ctx.Err() == nil {
					arrived.Add("request")
				}
				return ctx.Err()
			})
		})
		require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
		require.Equal(t, []string{"request", "withdrawal"}, arrived.All())
	})

	t.Run("an_obstacle_is_what_the_task_waits_for", func(t *testing.T) {
		var task run.Task
		play(t, onePool(), run.Input{Trigger: run.Backfill}, playPools(func(p *fakePools, r run.Request) {
			p.env.SignalWorkflow(run.StartedSignal, run.WorkStarted{RunID: r.RunID, Task: r.Task, Try: r.Try, Obstacle: "operator spark is unknown"})
			p.after(time.Minute, func() {
				task = status(p.env).Tasks[0]
				p.done(r, run.WorkDone{})
			})
		}))
		require.Equal(t, []any{run.Queued, "a worker that can do it: operator spark is unknown"}, []any{task.State, task.Waiting})
	})

	t.Run("a_report_of_another_run_or_try_changes_nothing", func(t *testing.T) {
		var state run.State
		play(t, onePool(), run.Input{}, playPools(func(p *fakePools, r run.Request) {
			stale, earlier := r, r
			stale.RunID, earlier.Try = "before the reset", 0
			p.started(stale, run.Outcome{Link: "stale"})
			p.started(earlier, run.Outcome{Link: "stale"})
			p.after(time.Minute, func() {
				state = status(p.env).Tasks[0].State
				p.done(r, run.WorkDone{})
			})
		}))
		require.Equal(t, run.Queued, state)
	})

	t.Run("each_try_is_a_request_of_its_own", func(t *testing.T) {
		var tries []string
		table := onePool()
		table[0].Tries = 2
		play(t, table, run.Input{}, playPools(func(p *fakePools, r run.Request) {
			tries = append(tries, r.ActivityID)
			p.failed(r, run.WorkDone{}, failure.NotebookConflict, "DELTA_CONCURRENT_APPEND")
		}))
		require.Equal(t, []string{"a-try-1", "a-try-2"}, tries)
	})
}

// announcements plays the daily DAG with a pool for each task, and returns what it announces and
// withdraws.
func announcements(t *testing.T, in run.Input, change ...func(dag.DAG)) (all []run.PoolsMessage) {
	var fake *fakePools
	table := daily(append(change, func(d dag.DAG) {
		for i := range d {
			d[i].Pool, d[i].Tries = "narrow", 1
		}
	})...)
	play(t, table, in, playPools(func(p *fakePools, r run.Request) {
		fake = p
		p.after(time.Minute, func() { // the clock waits for messages that are on their way
			if r.Task == "clean_geo" && in.Tags != nil {
				p.failed(r, run.WorkDone{}, failure.NotebookFailed, "broken")
				return
			}
			p.done(r, run.WorkDone{})
		})
	}), func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(steps.CheckPast, mock.Anything, mock.Anything).Return(nil).Maybe()
	})
	for _, m := range fake.messages.All() {
		if m.Request == nil {
			all = append(all, m)
		}
	}
	return all
}

func TestAnnounce(t *testing.T) {
	t.Run("a_run_announces_the_requests_of_all_its_tasks", func(t *testing.T) {
		sent := announcements(t, run.Input{Trigger: run.Scheduled})
		require.Len(t, sent, 1, "all of them came, so that nothing is withdrawn")
		require.Equal(t, map[string]string{"load": "narrow", "clean_pin": "narrow", "clean_geo": "narrow", "clean_user": "narrow", "query": "narrow"}, sent[0].Announce.Pools)
		require.Equal(t, 3, sent[0].Announce.Priority)
	})

	t.Run("a_backfill_announces_nothing", func(t *testing.T) {
		require.Empty(t, announcements(t, run.Input{Trigger: run.Backfill}))
	})

	t.Run("a_run_that_depends_on_the_past_announces_nothing", func(t *testing.T) {
		depends := func(d dag.DAG) { d[4].DependsOnPast = true }
		require.Empty(t, announcements(t, run.Input{Trigger: run.Scheduled}, depends), "tasks can share a pool: an announcement could keep the date before waiting")
		require.Len(t, announcements(t, run.Input{Trigger: run.Scheduled, IgnorePast: true}, depends), 1)
	})

	// The Pools workflow would keep a slot for a request that has come already.
	t.Run("the_announcement_arrives_before_the_requests", func(t *testing.T) {
		var arrived journal[string]
		play(t, onePool(), run.Input{Trigger: run.Scheduled}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.SendToPools, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.PoolsMessage) error {
				if m.Announce != nil {
					time.Sleep(100 * time.Millisecond) // Temporal is slow
					arrived.Add("announcement")
				} else {
					arrived.Add("request")
				}
				return nil
			})
			env.OnActivity(steps.RunInPool, mock.Anything, mock.Anything).Return(run.WorkDone{}, nil)
		})
		require.Equal(t, []string{"announcement", "request"}, arrived.All())
	})

	t.Run("a_request_that_does_not_come_is_withdrawn", func(t *testing.T) {
		sent := announcements(t, run.Input{Trigger: run.Scheduled, Tags: []string{"broken"}})
		require.Len(t, sent, 2)
		require.Equal(t, "", sent[1].Withdraw.Task, "query is upstream_failed")
	})
}

// A date without records has nothing to load: it must not wait for other dates, nor fail with them.
func TestRequestsGoTogether(t *testing.T) {
	for records, want := range map[int64]int{0: 0, 7: 8} {
		table := dag.DAG{{ID: "load", Pool: "narrow", Do: operators.Load{Topics: []string{"pin"}, Notebook: "load", SkipEmpty: true, Together: true}}}
		var sent []run.Request
		play(t, table, run.Input{Trigger: run.Backfill, Together: 8}, playPools(func(p *fakePools, r run.Request) {
			sent = append(sent, r)
			p.done(r, run.WorkDone{})
		}), func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.PlanLanding, mock.Anything, mock.Anything).Return(landing.Plan{Topic: "u.pin", Date: someDay}, nil).Once()
			env.OnActivity(steps.WriteManifest, mock.Anything, mock.Anything).Return(landing.ManifestSummary{Records: records, Bytes: 10 * records}, nil).Once()
		})
		require.Len(t, sent, 1)
		require.Equal(t, want, sent[0].Together)
		require.Equal(t, 10*records, sent[0].Bytes)
	}
}
