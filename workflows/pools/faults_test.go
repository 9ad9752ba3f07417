package pools

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

// rolledBack is the codec of a build that lacks an operator until it is rolled forward.
type rolledBack struct {
	keeping
	lacks *bool
}

func (c rolledBack) Decode(recorded json.RawMessage) (operators.Operator, error) {
	switch {
	case string(recorded) != `{"spark":{}}`:
		return c.keeping.Decode(recorded)
	case *c.lacks:
		return nil, errors.New(`operator "spark" is unknown to this build: deploy a build that has it`)
	}
	return does(ok), nil
}

func spark(r *run.Request) { r.Operator = json.RawMessage(`{"spark":{}}`) }

// newUsersOf returns users of a Pools workflow whose build decodes operators with that codec.
func newUsersOf(t *testing.T, codec operators.Codec) *users {
	u := &users{t: t, env: workflowstest.NewEnv(), closed: map[string]bool{}, working: map[string]int{}, most: map[string]int{}}
	u.env.RegisterWorkflowWithOptions(Workflow{Operators: codec}.Pools, workflow.RegisterOptions{Name: run.PoolsWorkflow})
	u.mock()
	return u
}

// answered returns the answers by workflow id.
func (u *users) answered() map[string]activities.AnswerRequestInput {
	all := map[string]activities.AnswerRequestInput{}
	for _, a := range u.answers.All() {
		all[a.Request.WorkflowID] = a
	}
	return all
}

func TestPoolsWithoutAnOperator(t *testing.T) {
	slots := func(r *run.Request) { r.Slots = 1 }
	t.Run("the_request_waits_for_a_build_that_has_it_and_the_others_go_on", func(t *testing.T) {
		lacks := true
		u := newUsersOf(t, rolledBack{lacks: &lacks})
		u.after(0, func() { u.ask(1, slots, spark); u.ask(2, slots) })
		u.after(20*time.Minute, func() {
			state := u.state()
			require.Len(t, state.Waiting, 1)
			require.Contains(t, state.Waiting[0].Obstacle, `operator "spark" is unknown to this build`)
			told := func(w run.WorkStarted) bool { return strings.Contains(w.Obstacle, "deploy a build that has it") }
			require.True(t, slices.ContainsFunc(u.reported.All(), told), "the page of the run shows it")
		})
		u.after(time.Hour, func() { lacks = false })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start run-02/r", "end run-02/r"}, u.log.All(), "it waits for no slot")
		require.Empty(t, u.answered()["run-01"].Error)
		require.WithinRange(t, u.answered()["run-01"].Done.Started, noon.Add(time.Hour), noon.Add(time.Hour+2*time.Minute))
	})

	t.Run("the_request_is_withdrawn_like_others", func(t *testing.T) {
		lacks := true
		u := newUsersOf(t, rolledBack{lacks: &lacks})
		u.after(0, func() { u.ask(1, spark); u.ask(2, spark) })
		u.after(20*time.Minute, func() {
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-01", Task: "a"}})
			u.close("run-02")
		})
		require.Empty(t, u.play(run.PoolsState{}).Waiting, "the other run has closed")
		require.True(t, u.answered()["run-01"].Cancelled)
	})

	t.Run("work_in_progress_keeps_its_slot", func(t *testing.T) {
		lacks := true
		u := newUsersOf(t, rolledBack{lacks: &lacks})
		u.after(time.Hour, func() {
			u.ask(2)
			require.NotEmpty(t, u.state().Work[0].Obstacle)
		})
		u.after(2*time.Hour, func() { lacks = false })
		u.play(run.PoolsState{Work: run.Packed[run.Work]{{Request: u.request(1, spark), Started: noon}}})
		require.WithinRange(t, u.answered()["run-02"].Done.Started, noon.Add(2*time.Hour), noon.Add(2*time.Hour+2*time.Minute), "its Databricks run may still write")
	})
}

func TestPoolsWithoutTheOperatorOfWork(t *testing.T) {
	t.Run("a_withdrawal_frees_the_slot", func(t *testing.T) {
		lacks := true
		u := newUsersOf(t, rolledBack{lacks: &lacks})
		u.after(time.Hour, func() { u.ask(2) })
		u.after(2*time.Hour, func() { u.close("run-01") })
		u.play(run.PoolsState{Work: run.Packed[run.Work]{{Request: u.request(1, spark), Started: noon}}})
		require.True(t, u.answered()["run-01"].Cancelled)
		require.WithinRange(t, u.answered()["run-02"].Done.Started, noon.Add(2*time.Hour), noon.Add(2*time.Hour+2*time.Minute))
	})
}

func TestPoolsFaults(t *testing.T) {
	slots := func(n int) func(*run.Request) { return func(r *run.Request) { r.Slots = n } }
	operator := func(f does) func(*run.Request) {
		op, err := keeping{}.Encode(f)
		require.NoError(t, err)
		return func(r *run.Request) { r.Operator = op }
	}

	t.Run("a_withdrawal_that_comes_when_they_continue_as_new_is_answered", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.ask(1); u.ask(2) })
		u.after(time.Minute, func() {
			u.env.SetContinueAsNewSuggested(true)
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-02", Task: "a"}})
		})
		carried := u.play(run.PoolsState{})
		require.Empty(t, carried.Waiting)
		require.True(t, u.answered()["run-02"].Cancelled, "the run would wait for ever")
	})

	// A build that raises the slots of a pool, or one that is rolled back, has open runs of the other.
	t.Run("the_smallest_number_of_slots_at_work_counts", func(t *testing.T) {
		for name, c := range map[string][2]int{"raised": {1, 2}, "lowered": {2, 1}} {
			t.Run(name, func(t *testing.T) {
				u := newUsers(t)
				u.after(0, func() { u.ask(1, slots(c[0])); u.ask(2, slots(c[1])) })
				u.play(run.PoolsState{})
				require.Equal(t, 1, u.most["a"], "one of the two writes a table that takes one writer")
				require.Len(t, u.answers.All(), 2)
			})
		}
	})

	// The dates that start later are not known when a task starts, nor those of a task whose pool
	// another build has removed.
	t.Run("only_a_pool_of_one_slot_makes_the_other_runs_of_a_task_left_over", func(t *testing.T) {
		for _, n := range []int{1, 2} {
			u := newUsers(t)
			var alone []bool
			look := operator(func(_ workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
				alone = append(alone, try.Alone)
				return run.Outcome{}, nil
			})
			u.after(0, func() { u.ask(1, slots(n), look) })
			u.play(run.PoolsState{})
			require.Equal(t, []bool{n == 1}, alone)
		}
	})

	t.Run("a_late_request_of_before_a_reset_leaves_the_work_of_the_run", func(t *testing.T) {
		for name, n := range map[string]int{"at work": 1, "waiting": 2} {
			t.Run(name, func(t *testing.T) {
				u := newUsers(t)
				u.closedRuns = map[string]bool{"run-01/before the reset": true, "run-02/before the reset": true}
				late := func(r *run.Request) { r.RunID = "before the reset" }
				u.after(0, func() { u.ask(1); u.ask(2) })
				u.after(time.Minute, func() { u.ask(n, late) })
				u.play(run.PoolsState{})
				require.Equal(t, []string{"start run-01/r", "end run-01/r", "start run-02/r", "end run-02/r"}, u.log.All())
				require.Len(t, u.answers.All(), 2)
				require.False(t, u.answers.All()[0].Cancelled || u.answers.All()[1].Cancelled)
			})
		}
	})

	t.Run("a_panic_of_an_operator_fails_its_try_alone", func(t *testing.T) {
		u := newUsers(t)
		panics := operator(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
			panic("assignment to entry in nil map")
		})
		u.after(0, func() { u.ask(1, slots(2)); u.ask(2, slots(2), panics) })
		carried := u.play(run.PoolsState{})
		require.Contains(t, u.answered()["run-02"].Error, "the operator panicked: assignment to entry in nil map")
		require.Len(t, carried.Work, 1, "they continue as new: a build that is repaired could not replay the panic")
		require.Equal(t, "run-01", carried.Work[0].WorkflowID)
	})

	t.Run("a_start_that_was_not_reported_is_reported_after_they_continued_as_new", func(t *testing.T) {
		for reported, want := range map[bool]int{false: 1, true: 0} {
			u := newUsers(t)
			request := u.request(1)
			op, err := keeping{}.Encode(reportsLater{does(func(_ workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
				try.Report(run.Outcome{Link: "https://databricks/1", JobRunID: 1})
				return run.Outcome{}, nil
			})})
			require.NoError(t, err)
			request.Operator = op
			u.play(run.PoolsState{Work: run.Packed[run.Work]{{Request: request, Started: noon, Link: "https://databricks/1", JobRunID: 1, Reported: reported}}})
			require.Len(t, u.reported.All(), want)
		}
	})

	t.Run("a_request_that_is_withdrawn_while_its_rows_are_counted_is_cancelled", func(t *testing.T) {
		u := newUsers(t)
		op, err := keeping{}.Encode(countsForever{does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) { return run.Outcome{}, nil })})
		require.NoError(t, err)
		u.after(0, func() { u.ask(1, func(r *run.Request) { r.Operator, r.Counts = op, true }) })
		u.after(time.Minute, func() { u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-01", Task: "a"}}) })
		u.play(run.PoolsState{})
		require.True(t, u.answered()["run-01"].Cancelled, "what the task demands of its rows was not checked")
	})
}

// reportsLater is an operator that reports its job as soon as it has started.
type reportsLater struct{ does }

func (reportsLater) ReportsStart() {}

// countsForever is an operator whose rows take an hour to count.
type countsForever struct{ does }

func (countsForever) Count(ctx workflow.Context, _ []operators.TaskInstance, outs []run.Outcome, _ bool) ([]run.Outcome, error) {
	return outs, workflow.Sleep(ctx, time.Hour)
}

func TestPoolsFindLostRequests(t *testing.T) {
	found := func(u *users, answers ...activities.FoundRequests) {
		n := 0
		u.env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(func(context.Context, activities.FindRequestsInput) (activities.FoundRequests, error) {
			n++
			if n > len(answers) {
				return activities.FoundRequests{}, nil
			}
			return answers[n-1], nil
		})
	}
	open := func(u *users, n int) run.Packed[run.OpenRequest] {
		return run.Packed[run.OpenRequest]{{Request: u.request(n)}}
	}

	// Its workflow task fails, or the workers of its version are gone: until they are back.
	t.Run("the_request_of_a_run_that_did_not_answer_is_found_when_it_does", func(t *testing.T) {
		u := newUsers(t)
		found(u, activities.FoundRequests{Unanswered: 1}, activities.FoundRequests{Unanswered: 1}, activities.FoundRequests{Requests: open(u, 1)})
		u.playFor(24*time.Hour, run.PoolsState{})
		require.Contains(t, u.answered(), "run-01")
		require.WithinRange(t, u.answered()["run-01"].Done.Started, noon, noon.Add(5*time.Minute))
	})

	t.Run("a_request_that_never_arrived_is_found", func(t *testing.T) {
		u := newUsers(t)
		found(u, activities.FoundRequests{Requests: open(u, 1)})
		u.play(run.PoolsState{})
		require.Contains(t, u.answered(), "run-01")
	})

	t.Run("a_request_that_is_answered_meanwhile_is_not_done_again", func(t *testing.T) {
		u := newUsers(t)
		u.env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).After(20*time.Minute).Return(activities.FoundRequests{Requests: open(u, 1)}, nil).Once()
		u.env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(activities.FoundRequests{}, nil)
		u.after(searchInterval-5*time.Minute, func() { u.ask(1) })
		u.play(run.PoolsState{})
		require.Len(t, u.answers.All(), 1)
	})

	t.Run("a_request_that_was_withdrawn_before_is_not_done", func(t *testing.T) {
		u := newUsers(t)
		found(u, activities.FoundRequests{Requests: run.Packed[run.OpenRequest]{{Request: u.request(1), Withdrawn: true}}})
		u.playFor(24*time.Hour, run.PoolsState{})
		require.True(t, u.answered()["run-01"].Cancelled)
		require.Empty(t, u.log.All())
	})
}
