package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
)

// poolCheck is how often a pool looks whether the holders of its slots still live while others wait: the longest time for which a run
// that was terminated keeps a slot from the next one.
const poolCheck = time.Minute

// keptFor is how long a pool keeps a slot that was announced. Where a run takes longer to get there, as it is held or large, backfills go on
// meanwhile.
const reservationTime = 30 * time.Minute

// pool is the semaphore behind one pool. Its coroutines share it without locks.
type poolRun struct {
	run.PoolState
	inbox   workflow.ReceiveChannel
	changed bool // by the coroutine that looks after the holders
}

// Pool keeps the slots of one pool: at most so many holders at a time over the whole namespace. It is started by the first request or
// announcement, and ends when nobody holds, wants or has announced a slot. It cannot be cancelled, as its slots protect tables; a run that
// ends without giving its slot back is noticed as soon as somebody waits for it.
func Pool(ctx workflow.Context, state run.PoolState) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p := &poolRun{PoolState: state, inbox: workflow.GetSignalChannel(ctx, run.PoolSignal)}
	if err := workflow.SetQueryHandler(ctx, run.PoolQuery, func() (run.PoolState, error) { return p.PoolState, nil }); err != nil {
		return err
	}
	workflow.Go(ctx, p.lookAfter)
	workflow.Go(ctx, p.forget)
	for {
		_ = workflow.Await(ctx, func() bool { return p.inbox.Len() > 0 || p.changed || p.canGrant() })
		p.changed = false
		p.receive(ctx)
		p.grant(ctx)
		if p.inbox.Len() > 0 {
			continue
		}
		switch {
		case len(p.Holders)+len(p.Waiting)+len(p.Reserved) == 0:
			return nil
		case historyIsLong(ctx):
			return workflow.NewContinueAsNewError(ctx, run.PoolWorkflow, p.PoolState)
		}
	}
}

// receive takes all messages that have come, in their order.
func (p *poolRun) receive(ctx workflow.Context) {
	for {
		var m run.SlotMessage
		if !p.inbox.ReceiveAsync(&m) {
			return
		}
		if m.Release {
			p.drop(m.Slot)
			continue
		}
		p.Slots = m.Slots
		switch held := slices.ContainsFunc(p.Holders, m.Slot.Same); {
		case held:
		case m.Held: // granted by a pool that was terminated: it counts, even beyond the number of slots
			p.drop(m.Slot)
			p.give(ctx, m.Slot) // again, so that a run which has given it back meanwhile can say so
		case slices.ContainsFunc(p.Waiting, m.Slot.Same):
		case m.Reserve:
			p.drop(m.Slot)
			p.Reserved = append(p.Reserved, run.Reservation{Slot: m.Slot, Until: workflow.Now(ctx).Add(reservationTime)})
		default:
			p.drop(m.Slot)
			p.Waiting = append(p.Waiting, m.Slot)
			slices.SortStableFunc(p.Waiting, func(a, b run.Slot) int { return a.Priority - b.Priority })
		}
	}
}

func (p *poolRun) drop(slot run.Slot) {
	p.Holders = slices.DeleteFunc(p.Holders, slot.Same)
	p.Waiting = slices.DeleteFunc(p.Waiting, slot.Same)
	p.Reserved = slices.DeleteFunc(p.Reserved, func(a run.Reservation) bool { return a.Slot.Same(slot) })
}

// room says that the first who waits can have a slot. Those who come after have no better priority.
func (p *poolRun) canGrant() bool {
	return len(p.Waiting) > 0 && len(p.Holders)+p.reservedFor(p.Waiting[0]) < p.Slots
}

// kept counts the slots that are kept free for runs that stand before the one who waits. It cannot close a circle: who has announced a slot
// never waits for those behind, but for tasks that are at work.
func (p *poolRun) reservedFor(from run.Slot) int {
	n := 0
	for _, a := range p.Reserved {
		if a.Slot.Priority < from.Priority {
			n++
		}
	}
	return n
}

// grant gives free slots to those who wait.
func (p *poolRun) grant(ctx workflow.Context) {
	for p.canGrant() {
		slot := p.Waiting[0]
		p.Waiting = slices.Delete(p.Waiting, 0, 1)
		p.give(ctx, slot)
	}
}

// give makes a slot held and tells its run. A run that cannot be told has ended, and the slot is free again.
func (p *poolRun) give(ctx workflow.Context, slot run.Slot) {
	p.Holders = append(p.Holders, slot)
	if err := workflow.SignalExternalWorkflow(ctx, slot.WorkflowID, "", grantSignal, slot).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Info("A run that wanted a slot has ended", "pool", p.Name, "run", slot.WorkflowID, "task", slot.Task, "error", err)
		p.drop(slot)
	}
}

// forget forgets what was announced and not wanted for too long.
func (p *poolRun) forget(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(p.Reserved) > 0 })
		_ = pause(ctx, p.Reserved[0].Until.Sub(workflow.Now(ctx)), "keep announced slots")
		now := workflow.Now(ctx)
		p.Reserved = slices.DeleteFunc(p.Reserved, func(a run.Reservation) bool { return !now.Before(a.Until) })
		p.changed = true
	}
}

// lookAfter takes slots back from runs that have ended without giving them back. Nobody misses a slot while nobody waits, so it looks
// only then: at once, and every poolCheck.
func (p *poolRun) lookAfter(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(p.Waiting) > 0 && !p.canGrant() })
		var gone activities.GoneSlots
		in := activities.FindGoneInput{Slots: slices.Clone(p.Holders)}
		for _, a := range p.Reserved {
			in.Slots = append(in.Slots, a.Slot)
		}
		if err := executeQuick(ctx, slotPolicy, "look whether the holders still live", findGone, in, &gone); err != nil {
			workflow.GetLogger(ctx).Warn("The holders of a pool could not be looked up; tried again", "pool", p.Name, "error", err)
		}
		for _, slot := range gone.Slots {
			p.drop(slot)
			p.changed = true
		}
		if len(gone.Slots) == 0 {
			_ = pause(ctx, poolCheck, "look after the holders")
		}
	}
}
