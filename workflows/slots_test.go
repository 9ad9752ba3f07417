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
	return dag.DAG{{ID: "a", Pool: "narrow", Do: Does(Ok)}, {ID: "b", Pool: "narrow", Do: Does(Ok)}}
}

func TestRun_ATaskWaitsForItsSlotAndGivesItBack(t *testing.T) {
	var asked, released journal[run.SlotMessage]
	var waiting, working run.Status
	p := play(t, pooled(), run.Input{Trigger: run.Backfill}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
			asked.add(m)
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
			for _, m := range asked.all() {
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
	require.NotNil(t, waiting.Tasks[1].Trying.Queued)
	require.Nil(t, waiting.Tasks[1].Trying.Granted)
	require.Equal(t, run.Running, working.Tasks[1].State)
	require.Equal(t, 10*time.Minute, working.Tasks[1].Trying.Granted.Sub(*working.Tasks[1].Trying.Queued))
	require.Nil(t, p.task("b").Trying)
	require.Equal(t, working.Tasks[1].Trying.Granted, p.task("b").History[0].Granted)
	require.Equal(t, 11*time.Minute, p.took.Round(time.Second))
	require.Len(t, asked.all(), 2)
	require.Equal(t, 1, asked.all()[0].Slots)
	require.Equal(t, 5, asked.all()[0].Slot.Priority)
	require.ElementsMatch(t, asked.all(), released.all())
}

func TestRun_BetweenTriesATaskHoldsNoSlot(t *testing.T) {
	var log journal[string]
	p := play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: Does(bad)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
			log.add(fmt.Sprintf("ask for try %d", m.Slot.Try))
			env.SignalWorkflow(grantSignal, m.Slot)
			return nil
		}).Twice()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
			log.add(fmt.Sprintf("release try %d", m.Slot.Try))
			return nil
		}).Twice()
	})
	require.Error(t, p.err)
	require.Equal(t, []string{"ask for try 1", "release try 1", "ask for try 2", "release try 2"}, log.all())
}

func TestRun_CancelledWhileItWaitsTakesItsRequestBack(t *testing.T) {
	p := play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: Does(Ok)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil).Once()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	})
	require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
}

func TestRun_AGrantNobodyWantsAnyMoreGoesBack(t *testing.T) {
	stale := run.Slot{Pool: "narrow", WorkflowID: "x", Task: "old", Try: 1}
	var released journal[run.Slot]
	play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: Does(Ok)}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
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
}

func TestRun_RemindsAPoolThatLostItsMemory(t *testing.T) {
	var messages journal[run.SlotMessage]
	p := play(t, dag.DAG{{ID: "a", Pool: "narrow", Do: Does(func(ctx workflow.Context, _ TaskInstance) (Outcome, error) {
		return Outcome{}, workflow.Sleep(ctx, 50*time.Minute)
	})}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
			if messages.add(m) == 2 { // the first was lost with its pool
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
}

func TestLoad_LandsWithoutASlot(t *testing.T) {
	l := newLake()
	var landed journal[int]
	play(t, daily(), run.Input{DAG: DailyName}, l.mock, func(env *testsuite.TestWorkflowEnvironment) {
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
	require.Equal(t, []int{0, 6}, landed.all(), "the slots were announced before landing, and that of load asked for after it")
}

// announced plays the daily DAG and returns what it announces, in order.
func announced(t *testing.T, in run.Input, change ...func(dag.DAG)) []string {
	var log journal[string]
	dag := daily(append(change, func(d dag.DAG) {
		for i := range d {
			d[i].Pool, d[i].Tries = "narrow", 1
		}
	})...)
	play(t, dag, in, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(reserveSlots, mock.Anything, mock.Anything).Return(func(_ context.Context, in run.ReserveInput) error {
			for _, m := range in.Messages {
				log.add(fmt.Sprintf("announce %s %d", m.Slot.Task, m.Slot.Try))
			}
			return nil
		}).Maybe()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
			log.add(fmt.Sprintf("ask for %s %d", m.Slot.Task, m.Slot.Try))
			env.SignalWorkflow(grantSignal, m.Slot)
			return nil
		})
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil)
		env.OnActivity(checkPast, mock.Anything, mock.Anything).Return(nil).Maybe()
	})
	return log.all()
}

func TestRun_AnnouncesTheSlotsThatItWillWant(t *testing.T) {
	log := announced(t, run.Input{Trigger: run.Scheduled})
	require.ElementsMatch(t, []string{"announce load 1", "announce clean_pin 1", "announce clean_geo 1", "announce clean_user 1", "announce query 1", "ask for load 1"}, log[:6])
	require.Len(t, log, 10)
}

func TestRun_OfABackfillAnnouncesNothing(t *testing.T) {
	require.Len(t, announced(t, run.Input{Trigger: run.Backfill}), 5)
}

func TestRun_ThatMayWaitForABackfillAnnouncesNothing(t *testing.T) {
	log := announced(t, run.Input{Trigger: run.Scheduled}, func(d dag.DAG) { d[4].DependsOnPast = true })
	require.Contains(t, log, "ask for query 1")
	require.Len(t, log, 5, "a pool may be that of several tasks: also load's slot would be kept from the date before")
	require.Contains(t, announced(t, run.Input{Trigger: run.Scheduled, IgnorePast: true}, func(d dag.DAG) { d[4].DependsOnPast = true }), "announce query 1")
}

func TestRun_TakesBackWhatItHasAnnouncedAndDoesNotWant(t *testing.T) {
	var released journal[string]
	dag := daily(func(d dag.DAG) { d[2].Do, d[2].Tries, d[4].Pool = Does(bad), 1, "narrow" })
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
}
