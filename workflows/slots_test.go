package workflows

import (
	"context"
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
)

// pooled is a DAG with two tasks that share one slot.
func pooled() dag.DAG {
	return dag.DAG{{ID: "a", Pool: "narrow", Do: does(ok)}, {ID: "b", Pool: "narrow", Do: does(ok)}}
}

func TestSlots(t *testing.T) {
	t.Run("a_task_waits_for_its_slot_and_releases_it", func(t *testing.T) {
		var requested, released journal[run.SlotMessage]
		var waiting, working run.Status
		p := play(t, pooled(), run.Input{Trigger: run.Backfill}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				requested.add(m)
				if m.Slot.Task == "a" {
					env.SignalWorkflow(grantSignal, m.Slot)
				}
				return nil
			}).Twice()
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				released.add(m)
				return nil
			}).Twice()
			env.RegisterDelayedCallback(func() {
				answer, err := env.QueryWorkflow(run.StatusQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&waiting))
				for _, m := range requested.all() {
					if m.Slot.Task == "b" {
						env.SignalWorkflow(grantSignal, m.Slot)
					}
				}
			}, 10*time.Minute)
			env.RegisterDelayedCallback(func() {
				answer, err := env.QueryWorkflow(run.StatusQuery)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&working))
			}, 10*time.Minute+30*time.Second)
		})
		require.NoError(t, p.err)
		require.Equal(t, run.Success, waiting.Tasks[0].State)
		require.Equal(t, run.Queued, waiting.Tasks[1].State)
		require.NotZero(t, waiting.Tasks[1].Trying.Queued)
		require.Zero(t, waiting.Tasks[1].Trying.Granted)
		require.Equal(t, run.Running, working.Tasks[1].State)
		require.Equal(t, 10*time.Minute, working.Tasks[1].Trying.Granted.Sub(working.Tasks[1].Trying.Queued))
		require.Nil(t, p.task("b").Trying)
		require.Equal(t, working.Tasks[1].Trying.Granted, p.task("b").History[0].Granted)
		require.Equal(t, 11*time.Minute, p.took.Round(time.Second))
		require.Len(t, requested.all(), 2)
		require.Equal(t, 1, requested.all()[0].Slots)
		require.Equal(t, 5, requested.all()[0].Slot.Priority)
		require.ElementsMatch(t, requested.all(), released.all())
	})

	t.Run("a_task_holds_none_between_tries", func(t *testing.T) {
		var log journal[string]
		p := play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: does(bad)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
			env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				log.add(fmt.Sprintf("request try %d", m.Slot.Try))
				env.SignalWorkflow(grantSignal, m.Slot)
				return nil
			}).Twice()
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				log.add(fmt.Sprintf("release try %d", m.Slot.Try))
				return nil
			}).Twice()
		})
		require.Error(t, p.err)
		require.Equal(t, []string{"request try 1", "release try 1", "request try 2", "release try 2"}, log.all())
	})

	t.Run("a_cancelled_run_withdraws_its_request", func(t *testing.T) {
		p := play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: does(ok)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
			env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(nil).Once()
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil).Once()
			env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		})
		require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
	})

	t.Run("a_grant_that_no_try_waits_for_is_released", func(t *testing.T) {
		stale := run.Slot{Pool: "narrow", WorkflowID: "x", Task: "old", Try: 1}
		var released journal[run.Slot]
		play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: does(ok)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
			env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				env.SignalWorkflow(grantSignal, stale)
				env.SignalWorkflow(grantSignal, m.Slot)
				return nil
			}).Once()
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				released.add(m.Slot)
				return nil
			}).Twice()
		})
		require.Contains(t, released.all(), stale)
	})

	t.Run("are_requested_again_after_the_pool_was_terminated", func(t *testing.T) {
		var messages journal[run.SlotMessage]
		p := play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: does(func(ctx workflow.Context, _ TaskInstance) (run.Outcome, error) {
			return run.Outcome{}, workflow.Sleep(ctx, 50*time.Minute)
		})}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
			env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				if messages.add(m) == 2 { // the first request was lost with the pool
					env.SignalWorkflow(grantSignal, m.Slot)
				}
				return nil
			})
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil).Once()
		})
		require.NoError(t, p.err)
		require.Equal(t, 80*time.Minute, p.took.Round(time.Minute))
		sent := messages.all()
		require.Len(t, sent, 3)
		require.False(t, sent[1].Held, "it waits")
		require.True(t, sent[2].Held, "it holds")
	})
}

func TestLoadSlots(t *testing.T) {
	t.Run("lands_without_a_slot", func(t *testing.T) {
		l := newLake()
		var landed journal[int]
		play(t, daily(), run.Input{DAG: pipelineDAG}, l.mock, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				if m.Slot.Task == "load" {
					l.mu.Lock()
					landed.add(len(l.landed))
					l.mu.Unlock()
				}
				env.SignalWorkflow(grantSignal, m.Slot)
				return nil
			}).Times(5)
			env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(func(_ context.Context, in run.ReserveInput) error {
				require.Len(t, in.Messages, 5)
				l.mu.Lock()
				landed.add(len(l.landed))
				l.mu.Unlock()
				return nil
			}).Once()
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil).Times(5)
		})
		require.Equal(t, []int{0, 6}, landed.all(), "slots are reserved before landing; load requests its slot after it")
	})
}

// messagesOf plays the daily DAG and returns its messages to the pool, in order.
func messagesOf(t *testing.T, in run.Input, change ...func(dag.DAG)) []string {
	var log journal[string]
	dag := daily(append(change, func(d dag.DAG) {
		for i := range d {
			d[i].Pool, d[i].Tries = "narrow", 1
		}
	})...)
	play(t, dag, in, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(func(_ context.Context, in run.ReserveInput) error {
			for _, m := range in.Messages {
				log.add(fmt.Sprintf("reserve %s %d", m.Slot.Task, m.Slot.Try))
			}
			return nil
		}).Maybe()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
			log.add(fmt.Sprintf("request %s %d", m.Slot.Task, m.Slot.Try))
			env.SignalWorkflow(grantSignal, m.Slot)
			return nil
		})
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil)
		env.OnActivity(checkPast, mock.Anything, mock.Anything).Return(nil).Maybe()
	})
	return log.all()
}

func TestReserve(t *testing.T) {
	t.Run("the_run_reserves_the_slots_of_all_tasks", func(t *testing.T) {
		log := messagesOf(t, run.Input{Trigger: run.Scheduled})
		require.ElementsMatch(t, []string{"reserve load 1", "reserve clean_pin 1", "reserve clean_geo 1", "reserve clean_user 1", "reserve query 1", "request load 1"}, log[:6])
		require.Len(t, log, 10)
	})

	t.Run("a_backfill_reserves_nothing", func(t *testing.T) {
		require.Len(t, messagesOf(t, run.Input{Trigger: run.Backfill}), 5)
	})

	t.Run("a_run_that_depends_on_the_past_reserves_nothing", func(t *testing.T) {
		log := messagesOf(t, run.Input{Trigger: run.Scheduled}, func(d dag.DAG) { d[4].DependsOnPast = true })
		require.Contains(t, log, "request query 1")
		require.Len(t, log, 5, "tasks can share a pool: a reservation for load could keep the date before waiting")
		require.Contains(t, messagesOf(t, run.Input{Trigger: run.Scheduled, IgnorePast: true}, func(d dag.DAG) { d[4].DependsOnPast = true }), "reserve query 1")
	})

	t.Run("a_reservation_that_is_not_requested_is_released", func(t *testing.T) {
		var released journal[string]
		dag := daily(func(d dag.DAG) { d[2].Do, d[2].Tries, d[4].Pool = does(bad), 1, "narrow" })
		p := play(t, dag, run.Input{Trigger: run.Scheduled}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
			env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
				released.add(m.Slot.Task)
				return nil
			}).Once()
		})
		require.Error(t, p.err)
		require.Equal(t, run.UpstreamFailed, p.task("query").State)
		require.Equal(t, []string{"query"}, released.all())
	})
}
