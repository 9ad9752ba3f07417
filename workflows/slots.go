package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	// grantSignal tells a run that it holds a slot now: an activities.Slot.
	grantSignal = "slot-granted"
	// reminder is how often a run repeats to its pools what it waits for and what it holds. They remember; but a pool that was terminated
	// by hand does not, and a run that waited for it would wait for ever.
	reminder = 30 * time.Minute
)

// slotWanted is a slot that a try of this run waits for or holds.
type slotWanted struct {
	message run.SlotMessage
	granted bool
}

// acquire waits until the task's try holds a slot of its pool, records from when to when it waited, and returns how to give the slot back.
// Without a pool there is nothing to wait for.
func (r *dagRun) acquire(ctx workflow.Context, t dag.Task, s *run.Task, record *run.Try) (release func(), err error) {
	if t.Pool == "" {
		return func() {}, nil
	}
	wanted := &slotWanted{message: r.slot(t, s.Tries)}
	if wanted.message.Slots == 0 {
		return nil, fmt.Errorf("there is no pool %q with slots", t.Pool)
	}
	r.wait(ctx, s, "a slot of pool "+t.Pool)
	queued := workflow.Now(ctx)
	record.Queued = queued
	r.slots = append(r.slots, wanted)
	r.reserved = slices.DeleteFunc(r.reserved, func(m run.SlotMessage) bool { return m == wanted.message })
	r.hearGrants(ctx)
	release = func() {
		r.slots = slices.DeleteFunc(r.slots, func(other *slotWanted) bool { return other == wanted })
		r.release(ctx, wanted.message)
	}
	err = executeQuick(ctx, slotPolicy, "ask pool "+t.Pool+" for a slot", requestSlot, wanted.message, nil)
	if err == nil {
		err = workflow.Await(ctx, func() bool { return wanted.granted })
	}
	if err != nil {
		release() // also if asking failed: a request may have arrived all the same
		return nil, err
	}
	granted := workflow.Now(ctx)
	record.Granted = granted
	return release, nil
}

// slot is what a try of a task says to its pool.
func (r *dagRun) slot(t dag.Task, try int) run.SlotMessage {
	return run.SlotMessage{
		Slot: run.Slot{
			Pool: t.Pool, WorkflowID: r.info.WorkflowExecution.ID, OriginalRunID: r.info.OriginalRunID,
			Task: t.ID, Try: try, Priority: launch.Priority(r.in.Trigger).PriorityKey,
		},
		Slots: r.catalog.Slots(t.Pool), TaskQueue: r.info.TaskQueueName,
	}
}

// announce tells the pools, when the run starts, that their slots will be wanted, so that no backfill takes one shortly before: a notebook that
// writes tables is never cut off, and the daily run would wait for its end at each step. Backfills have nobody behind them, and announce
// nothing; nor does a run that depends on the past: it may wait for a backfill's run of the date before, from which the slots would be kept.
func (r *dagRun) reserve(ctx workflow.Context) {
	if launch.Priority(r.in.Trigger).PriorityKey >= launch.Priority(run.Backfill).PriorityKey || r.dag.DependsOnPast() && !r.in.IgnorePast {
		return
	}
	for i, t := range r.dag {
		s := r.tasks[i]
		if message := r.slot(t, s.Tries+1); message.Slots > 0 && s.State == run.None {
			r.reserved = append(r.reserved, message)
		}
	}
	if len(r.reserved) == 0 {
		return
	}
	in := run.ReserveInput{Messages: slices.Clone(r.reserved)}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := executeQuick(ctx, slotPolicy, "announce the slots that the run will want", reserveSlots, in, nil); err != nil {
			workflow.GetLogger(ctx).Warn("Slots could not be announced; the run may have to wait for backfills", "error", err)
		}
	})
}

// withdraw takes back what was announced and has not been wanted.
func (r *dagRun) unreserve(ctx workflow.Context) {
	for _, message := range r.reserved {
		r.release(ctx, message)
	}
	r.reserved = nil
}

// release gives a slot back, also in a run that was cancelled. If that is not possible, the pool finds out when the run has ended.
func (r *dagRun) release(ctx workflow.Context, message run.SlotMessage) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	pool := message.Slot.Pool
	if err := executeQuick(ctx, slotPolicy, "give pool "+pool+" its slot back", releaseSlot, message, nil); err != nil {
		workflow.GetLogger(ctx).Warn("A slot could not be given back; the pool takes it back when the run has ended", "pool", pool, "error", err)
	}
}

// hearGrants starts, with the first slot that is wanted, to listen to the pools and to remind them.
func (r *dagRun) hearGrants(ctx workflow.Context) {
	if r.listening {
		return
	}
	r.listening = true
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var slot run.Slot
			workflow.GetSignalChannel(ctx, grantSignal).Receive(ctx, &slot)
			r.granted(ctx, slot)
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			_ = workflow.Await(ctx, func() bool { return len(r.slots) > 0 })
			_ = pause(ctx, reminder, "remind the pools")
			for _, wanted := range slices.Clone(r.slots) {
				if !slices.Contains(r.slots, wanted) {
					continue // given back while another pool was reminded
				}
				message := wanted.message
				message.Held = wanted.granted
				_ = executeQuick(ctx, slotPolicy, "remind pool "+message.Slot.Pool, requestSlot, message, nil) // the next reminder follows
			}
		}
	})
}

// granted marks the slot as held. One that nobody wants any more goes back, or the pool would count it as held for as long as the run lives.
func (r *dagRun) granted(ctx workflow.Context, slot run.Slot) {
	for _, wanted := range r.slots {
		// The signal is addressed to this workflow; its id is not compared, as a replay outside of a worker may run under another.
		if ours := wanted.message.Slot; ours.Pool == slot.Pool && ours.Task == slot.Task && ours.Try == slot.Try && ours.OriginalRunID == slot.OriginalRunID {
			wanted.granted = true
			return
		}
	}
	r.release(ctx, run.SlotMessage{Slot: slot})
}
