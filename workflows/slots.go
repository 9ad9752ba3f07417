package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
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
	message activities.SlotMessage
	granted bool
}

// acquire waits until the task's try holds a slot of its pool, records from when to when it waited, and returns how to give the slot back.
// Without a pool there is nothing to wait for.
func (r *run) acquire(ctx workflow.Context, t Task, s *TaskStatus, record *activities.TryRecord) (release func(), err error) {
	if t.Pool == "" {
		return func() {}, nil
	}
	wanted := &slotWanted{message: r.slot(t, s.Tries)}
	if wanted.message.Slots == 0 {
		return nil, fmt.Errorf("there is no pool %q with slots", t.Pool)
	}
	r.wait(ctx, s, "a slot of pool "+t.Pool)
	queued := workflow.Now(ctx)
	record.Queued = &queued
	r.slots = append(r.slots, wanted)
	r.announced = slices.DeleteFunc(r.announced, func(m activities.SlotMessage) bool { return m == wanted.message })
	r.hearGrants(ctx)
	release = func() {
		r.slots = slices.DeleteFunc(r.slots, func(other *slotWanted) bool { return other == wanted })
		r.release(ctx, wanted.message)
	}
	err = brief(ctx, slotPolicy, "ask pool "+t.Pool+" for a slot", requestSlot, wanted.message, nil)
	if err == nil {
		err = workflow.Await(ctx, func() bool { return wanted.granted })
	}
	if err != nil {
		release() // also if asking failed: a request may have arrived all the same
		return nil, err
	}
	granted := workflow.Now(ctx)
	record.Granted = &granted
	return release, nil
}

// slot is what a try of a task says to its pool.
func (r *run) slot(t Task, try int) activities.SlotMessage {
	return activities.SlotMessage{
		Slot: activities.Slot{
			Pool: t.Pool, WorkflowID: r.info.WorkflowExecution.ID, OriginalRunID: r.info.OriginalRunID,
			Task: t.ID, Try: try, Priority: priority(r.in.Trigger).PriorityKey,
		},
		Slots: r.catalog.slots(t.Pool), TaskQueue: r.info.TaskQueueName,
	}
}

// announce tells the pools, when the run starts, that their slots will be wanted, so that no backfill takes one shortly before: a notebook that
// writes tables is never cut off, and the daily run would wait for its end at each step. Backfills have nobody behind them, and announce
// nothing; nor does a run that depends on the past: it may wait for a backfill's run of the date before, from which the slots would be kept.
func (r *run) announce(ctx workflow.Context) {
	if priority(r.in.Trigger).PriorityKey >= priority(Backfill).PriorityKey || r.dag.dependsOnPast() && !r.in.IgnorePast {
		return
	}
	for i, t := range r.dag {
		s := r.tasks[i]
		if message := r.slot(t, s.Tries+1); message.Slots > 0 && s.State == None {
			r.announced = append(r.announced, message)
		}
	}
	if len(r.announced) == 0 {
		return
	}
	in := activities.AnnounceInput{Messages: slices.Clone(r.announced)}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := brief(ctx, slotPolicy, "announce the slots that the run will want", announceSlots, in, nil); err != nil {
			workflow.GetLogger(ctx).Warn("Slots could not be announced; the run may have to wait for backfills", "error", err)
		}
	})
}

// withdraw takes back what was announced and has not been wanted.
func (r *run) withdraw(ctx workflow.Context) {
	for _, message := range r.announced {
		r.release(ctx, message)
	}
	r.announced = nil
}

// release gives a slot back, also in a run that was cancelled. If that is not possible, the pool finds out when the run has ended.
func (r *run) release(ctx workflow.Context, message activities.SlotMessage) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	pool := message.Slot.Pool
	if err := brief(ctx, slotPolicy, "give pool "+pool+" its slot back", releaseSlot, message, nil); err != nil {
		workflow.GetLogger(ctx).Warn("A slot could not be given back; the pool takes it back when the run has ended", "pool", pool, "error", err)
	}
}

// hearGrants starts, with the first slot that is wanted, to listen to the pools and to remind them.
func (r *run) hearGrants(ctx workflow.Context) {
	if r.listening {
		return
	}
	r.listening = true
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var slot activities.Slot
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
				_ = brief(ctx, slotPolicy, "remind pool "+message.Slot.Pool, requestSlot, message, nil) // the next reminder follows
			}
		}
	})
}

// granted marks the slot as held. One that nobody wants any more goes back, or the pool would count it as held for as long as the run lives.
func (r *run) granted(ctx workflow.Context, slot activities.Slot) {
	for _, wanted := range r.slots {
		// The signal is addressed to this workflow; its id is not compared, as a replay outside of a worker may run under another.
		if ours := wanted.message.Slot; ours.Pool == slot.Pool && ours.Task == slot.Task && ours.Try == slot.Try && ours.OriginalRunID == slot.OriginalRunID {
			wanted.granted = true
			return
		}
	}
	r.release(ctx, activities.SlotMessage{Slot: slot})
}
