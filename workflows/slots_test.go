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

	"github.com/pinflow/pinflow/activities"
)

// pooled is a DAG with two tasks that share one slot.
func pooled() DAG {
	return DAG{{ID: "a", Pool: "narrow", Do: does(ok)}, {ID: "b", Pool: "narrow", Do: does(ok)}}
}

func TestRun_ATaskWaitsForItsSlotAndGivesItBack(t *testing.T) {
	var asked, released journal[activities.SlotMessage]
	var waiting, working RunStatus
	p := play(t, pooled(), RunInput{Trigger: Backfill}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			asked.add(m)
			if m.Slot.Task == "a" {
				env.SignalWorkflow(grantSignal, m.Slot)
			}
			return nil
		}).Twice()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			released.add(m)
			return nil
		}).Twice()
		env.RegisterDelayedCallback(func() {
			answer, err := env.QueryWorkflow(StatusQuery)
			require.NoError(t, err)
			require.NoError(t, answer.Get(&waiting))
			for _, m := range asked.all() {
				if m.Slot.Task == "b" {
					env.SignalWorkflow(grantSignal, m.Slot)
				}
			}
		}, 10*time.Minute)
		env.RegisterDelayedCallback(func() {
			answer, err := env.QueryWorkflow(StatusQuery)
			require.NoError(t, err)
			require.NoError(t, answer.Get(&working))
		}, 10*time.Minute+30*time.Second)
	})
	require.NoError(t, p.err)
	require.Equal(t, Success, waiting.Tasks[0].State)
	require.Equal(t, Queued, waiting.Tasks[1].State)
	require.NotNil(t, waiting.Tasks[1].Trying.Queued)
	require.Nil(t, waiting.Tasks[1].Trying.Granted)
	require.Equal(t, Running, working.Tasks[1].State)
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
	p := play(t, DAG{{ID: "a", Pool: "narrow", Do: does(bad)}}, RunInput{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			log.add(fmt.Sprintf("ask for try %d", m.Slot.Try))
			env.SignalWorkflow(grantSignal, m.Slot)
			return nil
		}).Twice()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			log.add(fmt.Sprintf("release try %d", m.Slot.Try))
			return nil
		}).Twice()
	})
	require.Error(t, p.err)
	require.Equal(t, []string{"ask for try 1", "release try 1", "ask for try 2", "release try 2"}, log.all())
}

func TestRun_CancelledWhileItWaitsTakesItsRequestBack(t *testing.T) {
	p := play(t, DAG{{ID: "a", Pool: "narrow", Do: does(ok)}}, RunInput{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(nil).Once()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	})
	require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
}

func TestRun_AGrantNobodyWantsAnyMoreGoesBack(t *testing.T) {
	stale := activities.Slot{Pool: "narrow", WorkflowID: "x", Task: "old", Try: 1}
	var released journal[activities.Slot]
	play(t, DAG{{ID: "a", Pool: "narrow", Do: does(ok)}}, RunInput{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			env.SignalWorkflow(grantSignal, stale)
			env.SignalWorkflow(grantSignal, m.Slot)
			return nil
		}).Once()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			released.add(m.Slot)
			return nil
		}).Twice()
	})
	require.Contains(t, released.all(), stale)
}

func TestRun_RemindsAPoolThatLostItsMemory(t *testing.T) {
	var messages journal[activities.SlotMessage]
	p := play(t, DAG{{ID: "a", Pool: "narrow", Do: does(func(ctx workflow.Context, _ Try) (Outcome, error) {
		return Outcome{}, workflow.Sleep(ctx, 50*time.Minute)
	})}}, RunInput{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
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
	play(t, daily(), RunInput{DAG: DailyName}, l.mock, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			if m.Slot.Task == "load" {
				l.mu.Lock()
				landed.add(len(l.landed))
				l.mu.Unlock()
			}
			env.SignalWorkflow(grantSignal, m.Slot)
			return nil
		}).Times(5)
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnnounceInput) error {
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
func announced(t *testing.T, in RunInput, change ...func(DAG)) []string {
	var log journal[string]
	dag := daily(append(change, func(d DAG) {
		for i := range d {
			d[i].Pool, d[i].Tries = "narrow", 1
		}
	})...)
	play(t, dag, in, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnnounceInput) error {
			for _, m := range in.Messages {
				log.add(fmt.Sprintf("announce %s %d", m.Slot.Task, m.Slot.Try))
			}
			return nil
		}).Maybe()
		env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
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
	log := announced(t, RunInput{Trigger: Scheduled})
	require.ElementsMatch(t, []string{"announce load 1", "announce clean_pin 1", "announce clean_geo 1", "announce clean_user 1", "announce query 1", "ask for load 1"}, log[:6])
	require.Len(t, log, 10)
}

func TestRun_OfABackfillAnnouncesNothing(t *testing.T) {
	require.Len(t, announced(t, RunInput{Trigger: Backfill}), 5)
}

func TestRun_ThatMayWaitForABackfillAnnouncesNothing(t *testing.T) {
	log := announced(t, RunInput{Trigger: Scheduled}, func(d DAG) { d[4].DependsOnPast = true })
	require.Contains(t, log, "ask for query 1")
	require.Len(t, log, 5, "a pool may be that of several tasks: also load's slot would be kept from the date before")
	require.Contains(t, announced(t, RunInput{Trigger: Scheduled, IgnorePast: true}, func(d DAG) { d[4].DependsOnPast = true }), "announce query 1")
}

func TestRun_TakesBackWhatItHasAnnouncedAndDoesNotWant(t *testing.T) {
	var released journal[string]
	dag := daily(func(d DAG) { d[2].Do, d[2].Tries, d[4].Pool = does(bad), 1, "narrow" })
	p := play(t, dag, RunInput{Trigger: Scheduled}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(announceSlots, mock.Anything, mock.Anything).Return(nil).Once()
		env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
			released.add(m.Slot.Task)
			return nil
		}).Once()
	})
	require.Error(t, p.err)
	require.Equal(t, UpstreamFailed, p.task("query").State)
	require.Equal(t, []string{"query"}, released.all())
}
