package pools

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

// A test reads better without the name of the package.
type (
	does           = workflowstest.Func
	keeping        = workflowstest.Keeping
	journal[T any] = workflowstest.Journal[T]
)

var (
	ok   = workflowstest.OK
	bad  = workflowstest.Bad
	noon = workflowstest.Noon
)

const (
	someDay = workflowstest.Day
	testDAG = workflowstest.DAG
)

// users are runs that use the Pools workflow.
type users struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment
	// closed holds the workflow ids of the runs that have closed, closedRuns those that have been
	// reset: workflow id/run id. Local activities run beside each other.
	mu         sync.Mutex
	closed     map[string]bool
	closedRuns map[string]bool
	log        journal[string] // what starts, ends and is answered
	reported   journal[run.WorkStarted]
	answers    journal[activities.AnswerRequestInput]
	pauses     journal[time.Duration] // of the answers to groups
	// answering is how groups are answered, and onAnswer what their runs do next.
	answering *testsuite.MockCallWrapper
	onAnswer  func(activities.AnswerRequestInput)
	// nextSearch is that of the state in which the Pools workflow continues as new.
	nextSearch time.Time
	checks     int
	working    map[string]int
	most       map[string]int
}

// works is an operator that takes ten minutes.
func (u *users) works(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	name := try.WorkflowID + "/" + try.RunID
	u.working[try.Task]++
	u.most[try.Task] = max(u.most[try.Task], u.working[try.Task])
	u.log.Add("start " + name)
	err := workflow.Sleep(ctx, 10*time.Minute)
	if err != nil { // a cancelled Databricks run takes a while to end
		background, _ := workflow.NewDisconnectedContext(ctx)
		_ = workflow.Sleep(background, time.Minute)
	}
	u.working[try.Task]--
	u.log.Add("end " + name)
	return run.Outcome{Link: "https://databricks/" + name}, err
}

// request returns the request of a run for the work of task a.
func (u *users) request(n int, change ...func(*run.Request)) run.Request {
	op, err := keeping{}.Encode(does(u.works))
	require.NoError(u.t, err)
	r := run.Request{
		WorkflowID: fmt.Sprintf("run-%02d", n), RunID: "r", DAG: testDAG, Date: someDay.Add(n), Task: "a", Try: 1, ActivityID: "a-try-1",
		Pool: "p", Slots: 1, Priority: 3, Operator: op,
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

func newUsers(t *testing.T) *users {
	return newUsersOf(t, keeping{})
}

// mock mocks what the Pools workflow does in other systems.
func (u *users) mock() {
	u.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, run.StartedSignal, mock.Anything).Return(
		func(_, workflowID, _, _ string, started any) error {
			if u.isClosed(workflowID) {
				return errors.New("unknown external workflow execution")
			}
			u.reported.Add(started.(run.WorkStarted))
			return nil
		}).Maybe()
	u.env.OnActivity(steps.FindClosed, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.FindClosedInput) (activities.ClosedRequesters, error) {
		u.mu.Lock()
		u.checks++
		u.mu.Unlock()
		var closed activities.ClosedRequesters
		for _, r := range in.Requesters {
			if u.isClosed(r.WorkflowID) || u.closedRuns[r.WorkflowID+"/"+r.RunID] {
				closed.Requesters = append(closed.Requesters, r)
			}
		}
		return closed, nil
	}).Maybe()
	u.env.OnActivity(steps.AnswerRequest, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnswerRequestInput) error {
		u.answers.Add(in)
		return nil
	}).Maybe()
	u.answering = u.env.OnActivity(steps.AnswerRequests, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnswerRequestsInput) error {
		u.pauses.Add(in.Pause)
		for _, answer := range in.Answers {
			u.answers.Add(answer)
			if u.onAnswer != nil {
				u.onAnswer(answer)
			}
		}
		return nil
	}).Maybe()
}

func (u *users) isClosed(workflowID string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.closed[workflowID]
}

func (u *users) close(workflowID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed[workflowID] = true
}

func (u *users) after(d time.Duration, do func()) { u.env.RegisterDelayedCallback(do, d) }

func (u *users) send(m run.PoolsMessage) { u.env.SignalWorkflow(run.PoolsSignal, m) }

func (u *users) ask(n int, change ...func(*run.Request)) {
	r := u.request(n, change...)
	u.send(run.PoolsMessage{Request: &r})
}

func (u *users) state() (state run.PoolsState) {
	answer, err := u.env.QueryWorkflow(run.PoolsQuery)
	require.NoError(u.t, err)
	require.NoError(u.t, answer.Get(&state))
	return state
}

// play runs the Pools workflow until a day has passed, and returns the state with which it
// continues as new.
func (u *users) play(state run.PoolsState) (carried run.PoolsState) {
	state.Rebuilt = true
	u.env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(activities.FoundRequests{}, nil).Maybe()
	return u.playFor(24*time.Hour, state)
}

func (u *users) playFor(d time.Duration, state run.PoolsState) (carried run.PoolsState) {
	u.after(d, func() {
		u.env.SetContinueAsNewSuggested(true)
		u.send(run.PoolsMessage{})
	})
	u.env.ExecuteWorkflow(run.PoolsWorkflow, state)
	require.True(u.t, u.env.IsWorkflowCompleted())
	var again *workflow.ContinueAsNewError
	require.ErrorAs(u.t, u.env.GetWorkflowError(), &again, "it never ends")
	require.NoError(u.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &carried))
	u.nextSearch, carried.NextSearch = carried.NextSearch, time.Time{}
	return carried
}

func TestPools(t *testing.T) {
	priority := func(p int) func(*run.Request) { return func(r *run.Request) { r.Priority = p } }
	slots := func(n int) func(*run.Request) { return func(r *run.Request) { r.Slots = n } }

	t.Run("never_do_more_work_than_their_slots_and_start_it_in_order", func(t *testing.T) {
		for _, n := range []int{1, 3} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				u := newUsers(t)
				var want []string
				for i := range 12 {
					u.after(time.Duration(i)*time.Second, func() { u.ask(i, slots(n)) })
					want = append(want, fmt.Sprintf("start run-%02d/r", i))
				}
				carried := u.play(run.PoolsState{})
				require.Equal(t, run.PoolsState{Rebuilt: true}, carried, "nothing is left")
				require.Equal(t, n, u.most["a"])
				require.Equal(t, want, slices.DeleteFunc(u.log.All(), func(line string) bool { return line[0] != 's' }))
				require.Len(t, u.answers.All(), 12)
				require.Len(t, u.reported.All(), 12)
			})
		}
	})

	t.Run("a_request_of_higher_priority_comes_first_and_pools_do_not_wait_for_each_other", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() {
			u.ask(1, priority(5))
			u.ask(2, priority(5))
		})
		u.after(time.Minute, func() {
			u.ask(3, priority(3))
			u.ask(4, priority(5), func(r *run.Request) { r.Pool = "other" })
		})
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start run-01/r", "start run-04/r", "end run-01/r", "start run-03/r", "end run-04/r", "end run-03/r", "start run-02/r", "end run-02/r"}, u.log.All())
	})

	t.Run("a_request_that_is_sent_twice_is_done_once", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1); u.ask(1); u.ask(2); u.ask(2) })
		u.after(5*time.Minute, func() { u.ask(1) })
		u.play(run.PoolsState{})
		require.Len(t, u.answers.All(), 2)
	})

	t.Run("the_answer_has_the_outcome_or_the_error", func(t *testing.T) {
		u := newUsers(t)
		broken := func(r *run.Request) {
			op, err := keeping{}.Encode(does(bad))
			require.NoError(t, err)
			r.Operator, r.Pool = op, "other"
		}
		skips := func(r *run.Request) {
			op, err := keeping{}.Encode(does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
				return run.Outcome{}, operators.ErrSkip
			}))
			require.NoError(t, err)
			r.Operator, r.Pool = op, "third"
		}
		u.after(0, func() { u.ask(1); u.ask(2, broken); u.ask(3, skips) })
		u.play(run.PoolsState{})
		byRun := map[string]activities.AnswerRequestInput{}
		for _, a := range u.answers.All() {
			byRun[a.Request.WorkflowID] = a
			require.Empty(t, a.Request.Operator, "the run has it")
		}
		require.Equal(t, "https://databricks/run-01/r", byRun["run-01"].Done.Outcome.Link)
		require.Equal(t, []string{"broken: SELECT nonsense", failure.NotebookFailed}, []string{byRun["run-02"].Error, byRun["run-02"].ErrorType})
		require.Equal(t, operators.SkipType, byRun["run-03"].ErrorType)
	})

	t.Run("the_timeout_counts_from_the_start_of_the_work", func(t *testing.T) {
		u := newUsers(t)
		limit := func(r *run.Request) { r.Timeout, r.Worked = 12*time.Minute, time.Minute }
		short := func(r *run.Request) { r.Timeout, r.Worked = 12*time.Minute, 5*time.Minute }
		u.after(0, func() { u.ask(1, limit); u.ask(2, limit); u.ask(3, short) })
		u.play(run.PoolsState{})
		answers := u.answers.All()
		require.Len(t, answers, 3)
		require.Empty(t, answers[1].Error, "it waited ten minutes in the pool")
		require.Equal(t, "timed out after 12m0s", answers[2].Error)
	})

	t.Run("a_withdrawn_request_is_answered_when_its_work_has_ended", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1); u.ask(2); u.ask(3) })
		u.after(time.Minute, func() {
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-02", RunID: "r", Task: "a"}})
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-01", RunID: "r", Task: "a"}})
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-03", RunID: "another", Task: "a"}})
		})
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start run-01/r", "end run-01/r", "start run-03/r", "end run-03/r"}, u.log.All())
		var cancelled []bool
		for _, a := range u.answers.All() {
			cancelled = append(cancelled, a.Cancelled)
		}
		require.Equal(t, []bool{true, true, false}, cancelled)
	})

	// The new run asks while the work of before the reset is in progress: that work ends first.
	t.Run("a_reset_run_does_its_work_again", func(t *testing.T) {
		u := newUsers(t)
		reset := func(r *run.Request) { r.RunID = "after the reset" }
		u.closedRuns = map[string]bool{"run-01/r": true, "run-03/r": true}
		u.after(0, func() { u.ask(1, slots(2)); u.ask(2, slots(2)); u.ask(3, slots(2)) })
		u.after(time.Minute, func() {
			u.ask(1, slots(2), reset)
			u.ask(3, slots(2), reset)
		})
		u.play(run.PoolsState{})
		require.Equal(t, []string{
			"start run-01/r", "start run-02/r", "end run-01/r", "start run-01/after the reset", "end run-02/r",
			"start run-03/after the reset", "end run-01/after the reset", "end run-03/after the reset",
		}, u.log.All(), "run-03 had no work yet")
	})

	t.Run("the_work_of_a_terminated_run_is_cancelled_while_others_wait", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1); u.ask(2) })
		u.after(90*time.Second, func() { u.close("run-01") })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start run-01/r", "end run-01/r", "start run-02/r", "end run-02/r"}, u.log.All())
		require.Less(t, u.answers.All()[0].Done.Started, u.answers.All()[1].Done.Started)
		require.LessOrEqual(t, u.checks, 5, "nobody waits for the second, so that it is not looked for")
	})

	t.Run("the_request_of_a_run_that_closed_while_it_waited_is_not_done", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1); u.ask(2); u.ask(3) })
		u.after(time.Minute, func() { u.close("run-02") })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start run-01/r", "end run-01/r", "start run-03/r", "end run-03/r"}, u.log.All())
	})

	t.Run("an_announced_slot_is_kept_from_requests_of_lower_priority", func(t *testing.T) {
		for name, c := range map[string]struct {
			come  bool
			order []string
		}{
			"and given to the request":       {true, []string{"start run-01/r", "end run-01/r", "start run-03/r", "end run-03/r", "start run-02/r", "end run-02/r"}},
			"until the announcement expires": {false, []string{"start run-01/r", "end run-01/r", "start run-02/r", "end run-02/r"}},
		} {
			t.Run(name, func(t *testing.T) {
				u := newUsers(t)
				u.after(0, func() { u.ask(1, priority(5)); u.ask(2, priority(5)) })
				u.after(time.Minute, func() {
					u.send(run.PoolsMessage{Announce: &run.Announcement{WorkflowID: "run-03", RunID: "r", Date: someDay, Priority: 3, Pools: map[string]string{"a": "p"}}})
				})
				u.after(2*time.Minute, func() { require.Len(t, u.state().Pool("p").Announced, 1) })
				if c.come {
					u.after(20*time.Minute, func() { u.ask(3) })
				}
				require.Equal(t, run.PoolsState{Rebuilt: true}, u.play(run.PoolsState{}))
				require.Equal(t, c.order, u.log.All())
				if !c.come {
					require.GreaterOrEqual(t, u.answers.All()[1].Done.Started.Sub(noon), announcementTime)
				}
			})
		}
	})

	t.Run("they_continue_as_new_with_work_and_requests", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1); u.ask(2) })
		u.after(time.Minute, func() { u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-01", Task: "a"}}) })
		carried := u.playFor(90*time.Second, run.PoolsState{Rebuilt: true})
		require.Len(t, carried.Work, 1)
		require.True(t, carried.Work[0].Withdrawn)
		require.Len(t, carried.Waiting, 1)

		next := newUsers(t)
		require.Equal(t, run.PoolsState{Rebuilt: true}, next.play(carried))
		// The operator of the first part belongs to the users of before.
		require.Equal(t, []string{"start run-01/r", "end run-01/r", "start run-01/r", "end run-01/r", "start run-02/r", "end run-02/r"},
			slices.Concat([]string{u.log.All()[0], "end run-01/r"}, u.log.All()[1:]))
		require.True(t, next.answers.All()[0].Cancelled)
		require.False(t, next.answers.All()[1].Cancelled)
	})

	t.Run("what_does_not_fit_into_a_payload_is_found_again_in_the_open_runs", func(t *testing.T) {
		carry := func(n int) run.PoolsState {
			p := &poolsRun{waiting: newQueue(), rebuilt: true, work: []*poolWork{{members: []*member{{run.Work{Request: run.Request{Task: "at work"}}}}}}}
			random := rand.NewChaCha8([32]byte{})
			for i := range n { // what cannot be compressed
				noise := make([]byte, 24)
				_, _ = random.Read(noise)
				p.waiting.add(run.Request{WorkflowID: fmt.Sprint(i), RunID: hex.EncodeToString(noise), Pool: "p", Slots: 1}, time.Time{})
			}
			return p.carried()
		}
		few := carry(20000)
		require.Len(t, few.Waiting, 20000)
		require.True(t, few.Rebuilt)
		many := carry(60000)
		require.Empty(t, many.Waiting)
		require.False(t, many.Rebuilt, "so that the next run looks for them")
		require.Len(t, many.Work, 1)
	})

	t.Run("requests_that_are_found_start_in_the_order_in_which_they_were_sent_first", func(t *testing.T) {
		u := newUsers(t)
		at := func(minute int) func(*run.Request) {
			return func(r *run.Request) { r.Requested = noon.Add(time.Duration(minute-60) * time.Minute) }
		}
		u.env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(activities.FoundRequests{
			Requests: []run.OpenRequest{{Request: u.request(1, at(3))}, {Request: u.request(2, at(1))}, {Request: u.request(3, at(2))}},
		}, nil).Once()
		u.playFor(24*time.Hour, run.PoolsState{})
		require.Equal(t, []string{"start run-02/r", "end run-02/r", "start run-03/r", "end run-03/r", "start run-01/r", "end run-01/r"}, u.log.All())
	})

	t.Run("their_page_shows_who_is_at_work_who_waits_and_for_whom_slots_are_kept", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() {
			u.ask(1)
			u.ask(2, func(r *run.Request) { r.Try = 2 })
			for i := range 7 {
				u.ask(3+i, priority(5))
			}
			u.ask(20, slots(3), func(r *run.Request) { r.Pool = "clean_*geo*" })
			u.send(run.PoolsMessage{Announce: &run.Announcement{WorkflowID: "run-30", RunID: "r", DAG: testDAG, Date: someDay.Add(30), Priority: 3, Pools: map[string]string{"b": "kept"}}})
		})
		u.after(time.Minute, func() {
			require.Contains(t, workflowstest.Details(t, u.env), launch.AboutPools+"\n\n**2 at work, 8 waiting**\n")
		})
		u.after(2*time.Minute, func() {
			page := workflowstest.Rendered(t, workflowstest.Details(t, u.env))
			at := noon.UTC().Format(time.DateTime) + " UTC"
			require.Equal(t, []string{
				"clean_*geo*", "3", "a of test 2022-11-07 since " + at, "", "",
				"kept", "", "", "", "b of test 2022-11-17",
				"p", "1", "a of test 2022-10-19 since " + at,
				"a of test 2022-10-20 try 2; a of test 2022-10-21; a of test 2022-10-22; a of test 2022-10-23; a of test 2022-10-24; and 3 more", "",
			}, workflowstest.Cells(t, page))
		})
		u.play(run.PoolsState{})
		require.Contains(t, workflowstest.Details(t, u.env), "No task is at work, and none waits.")
	})

	t.Run("their_page_links_to_the_databricks_run", func(t *testing.T) {
		p := &poolsRun{waiting: newQueue(), work: []*poolWork{
			{members: []*member{{run.Work{
				Request: run.Request{DAG: testDAG, Date: someDay, Task: "load", Pool: "p", Slots: 2}, Link: "https://databricks/#job/1", Withdrawn: true,
			}}}},
			{members: []*member{{run.Work{Request: run.Request{DAG: testDAG, Date: someDay, Task: "query", Pool: "p", Slots: 2}, Counting: true}}}},
		}}
		page := workflowstest.Rendered(t, p.page())
		require.Contains(t, page, `UTC, being cancelled, <a href="https://databricks/#job/1">Databricks run</a>; query of test`)
		require.Contains(t, page, "UTC, counts rows</td>")
	})

	t.Run("the_activities_of_a_backfill_come_after_those_of_the_daily_run", func(t *testing.T) {
		u := newUsers(t)
		var priorities journal[int]
		sees := func(r *run.Request) {
			op, err := keeping{}.Encode(does(func(ctx workflow.Context, _ operators.TaskInstance) (run.Outcome, error) {
				priorities.Add(workflow.GetActivityOptions(steps.WithPolicy(ctx, steps.StartPolicy, "start")).Priority.PriorityKey)
				return run.Outcome{}, nil
			}))
			require.NoError(t, err)
			r.Operator = op
		}
		u.after(0, func() { u.ask(1, priority(3), sees) })
		u.after(time.Hour, func() { u.ask(2, priority(5), sees) })
		u.play(run.PoolsState{})
		require.Equal(t, []int{3, 5}, priorities.All(), "that of the Pools workflow is the same for all")
	})

	t.Run("they_find_the_requests_of_open_runs_before_any_work_starts", func(t *testing.T) {
		u := newUsers(t)
		u.env.OnActivity(steps.FindRequests, mock.Anything, activities.FindRequestsInput{}).Return(activities.FoundRequests{
			Requests: []run.OpenRequest{{Request: u.request(2)}}, PageToken: []byte("more"),
		}, nil).Once()
		u.env.OnActivity(steps.FindRequests, mock.Anything, activities.FindRequestsInput{PageToken: []byte("more")}).Return(activities.FoundRequests{
			Requests: []run.OpenRequest{{Request: u.request(1, priority(5)), Started: true}},
		}, nil).Once()
		u.after(0, func() { u.ask(3, priority(1)) })
		u.playFor(24*time.Hour, run.PoolsState{})
		require.Equal(t, []string{"start run-01/r", "end run-01/r", "start run-03/r", "end run-03/r", "start run-02/r", "end run-02/r"}, u.log.All(),
			"the Databricks run of run-01 may still write")
		u.env.AssertExpectations(t)
	})

	t.Run("they_ignore_cancellation", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1) })
		u.after(time.Minute, u.env.CancelWorkflow)
		u.play(run.PoolsState{})
		require.Empty(t, u.answers.All()[0].Error)
	})

}
