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
	// grantSignal grants a run the run.Slot that it carries.
	grantSignal = "slot-granted"
	// remindInterval is how often a run repeats its requests and the slots that it holds to its
	// pools. A pool that was terminated has lost them, and without a reminder a run would wait for
	// ever.
	remindInterval = 30 * time.Minute
)

// slotRequest is a slot that a try of this run waits for or holds.
type slotRequest struct {
	message run.SlotMessage
	granted bool
}

// acquire waits until the try holds a slot of the task's pool, and records the wait in the try. The
// function that it returns releases the slot. A task without a pool does not wait.
func (r *dagRun) acquire(ctx workflow.Context, t dag.Task, s *run.Task, try *run.Try) (release func(), err error) {
	if t.Pool == "" {
		return func() {}, nil
	}
	request := &slotRequest{message: r.slotMessage(t, s.Tries)}
	if request.message.Slots == 0 {
		return nil, fmt.Errorf("no pool %q with slots", t.Pool)
	}
	r.wait(ctx, s, "a slot of pool "+t.Pool)
	try.Queued = workflow.Now(ctx)
	r.requests = append(r.requests, request)
	r.reserved = slices.DeleteFunc(r.reserved, func(m run.SlotMessage) bool { return m == request.message })
	r.listenForGrants(ctx)
	release = func() {
		r.requests = slices.DeleteFunc(r.requests, func(other *slotRequest) bool { return other == request })
		r.release(ctx, request.message)
	}
	err = executeQuick(ctx, slotPolicy, "request a slot of pool "+t.Pool, requestSlot, request.message, nil)
	if err == nil {
		err = workflow.Await(ctx, func() bool { return request.granted })
	}
	if err != nil {
		release() // also if the request failed: it may have arrived all the same
		return nil, err
	}
	try.Granted = workflow.Now(ctx)
	return release, nil
}

// slotMessage returns the message with which a try requests its slot.
func (r *dagRun) slotMessage(t dag.Task, try int) run.SlotMessage {
	return run.SlotMessage{
		Slot: run.Slot{
			Pool: t.Pool, WorkflowID: r.info.WorkflowExecution.ID, OriginalRunID: r.info.OriginalRunID,
			Task: t.ID, Try: try, Priority: launch.Priority(r.in.Trigger).PriorityKey,
		},
		Slots: r.catalog.Slots(t.Pool),
	}
}

// reserve reserves the slots of all tasks when the run starts. Otherwise a backfill could take each
// slot shortly before the run needs it, and the run would wait at every task, because a notebook
// that writes tables is never interrupted.
//
// Backfills reserve nothing: no run has a lower priority. Neither does a run that depends on the
// past: it may wait for the run of the date before, which may be a backfill's and would not get the
// slots.
func (r *dagRun) reserve(ctx workflow.Context) {
	if launch.Priority(r.in.Trigger).PriorityKey >= launch.Priority(run.Backfill).PriorityKey || r.dag.DependsOnPast() && !r.in.IgnorePast {
		return
	}
	for i, t := range r.dag {
		s := r.tasks[i]
		if message := r.slotMessage(t, s.Tries+1); message.Slots > 0 && s.State == run.None {
			r.reserved = append(r.reserved, message)
		}
	}
	if len(r.reserved) == 0 {
		return
	}
	in := run.ReserveInput{Messages: slices.Clone(r.reserved)}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := executeQuick(ctx, slotPolicy, "reserve the slots of the run", reserveSlots, in, nil); err != nil {
			workflow.GetLogger(ctx).Warn("Slots were not reserved; the run may wait for backfills", "error", err)
		}
	})
}

// releaseReserved releases the slots that were reserved and never requested.
func (r *dagRun) releaseReserved(ctx workflow.Context) {
	for _, message := range r.reserved {
		r.release(ctx, message)
	}
	r.reserved = nil
}

// release releases a slot, also in a cancelled run. If that fails, the pool reclaims the slot when
// the run has ended.
func (r *dagRun) release(ctx workflow.Context, message run.SlotMessage) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	pool := message.Slot.Pool
	if err := executeQuick(ctx, slotPolicy, "release the slot of pool "+pool, releaseSlot, message, nil); err != nil {
		workflow.GetLogger(ctx).Warn("A slot was not released; the pool reclaims it when the run has ended", "pool", pool, "error", err)
	}
}

// listenForGrants starts to receive grants and to remind the pools, with the first request of the
// run.
func (r *dagRun) listenForGrants(ctx workflow.Context) {
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
			_ = workflow.Await(ctx, func() bool { return len(r.requests) > 0 })
			_ = sleep(ctx, remindInterval, "remind the pools")
			for _, request := range slices.Clone(r.requests) {
				if !slices.Contains(r.requests, request) {
					continue // released while another pool was reminded
				}
				message := request.message
				message.Held = request.granted
				_ = executeQuick(ctx, slotPolicy, "remind pool "+message.Slot.Pool, requestSlot, message, nil) // the next reminder follows
			}
		}
	})
}

// granted marks the slot as held. A slot that no try waits for any more is released: the pool would
// count it as held for as long as the run lives.
func (r *dagRun) granted(ctx workflow.Context, slot run.Slot) {
	for _, request := range r.requests {
		// The workflow id is not compared: the signal is addressed to this workflow, and a replay
		// outside of a worker may run it under another id.
		if own := request.message.Slot; own.Pool == slot.Pool && own.Task == slot.Task && own.Try == slot.Try && own.OriginalRunID == slot.OriginalRunID {
			request.granted = true
			return
		}
	}
	r.release(ctx, run.SlotMessage{Slot: slot})
}
