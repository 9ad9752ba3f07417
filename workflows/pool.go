package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
)

// reclaimInterval is how often a pool looks for holders whose runs have ended, while others wait:
// the longest time for which a terminated run keeps a slot from the next one.
const reclaimInterval = time.Minute

// reservationTime is how long a pool keeps a reserved slot. If a run takes longer to request it,
// because it is held or large, backfills get the slot meanwhile.
const reservationTime = 30 * time.Minute

// poolRun is a running pool. Its coroutines share it without locks.
type poolRun struct {
	run.PoolState
	inbox   workflow.ReceiveChannel
	changed bool // slots were reclaimed, or reservations expired
}

// Pool grants the slots of one pool: at most that many holders at a time in the whole namespace.
// The first request or reservation starts it, and it ends when no slot is held, requested or
// reserved. It ignores cancellation, because its slots protect tables. It reclaims the slot of a
// run that ended without releasing it as soon as another run waits for it.
func Pool(ctx workflow.Context, state run.PoolState) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p := &poolRun{PoolState: state, inbox: workflow.GetSignalChannel(ctx, run.PoolSignal)}
	if err := workflow.SetQueryHandler(ctx, run.PoolQuery, func() (run.PoolState, error) { return p.PoolState, nil }); err != nil {
		return err
	}
	workflow.Go(ctx, p.reclaimSlots)
	workflow.Go(ctx, p.expireReservations)
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

// receive handles all messages in the inbox, in their order.
func (p *poolRun) receive(ctx workflow.Context) {
	for {
		var m run.SlotMessage
		if !p.inbox.ReceiveAsync(&m) {
			return
		}
		if m.Release {
			p.remove(m.Slot)
			continue
		}
		p.Slots = m.Slots
		switch held := slices.ContainsFunc(p.Holders, m.Slot.Same); {
		case held:
		case m.Held: // granted by a pool that was terminated since: it counts, even beyond the number of slots
			p.remove(m.Slot)
			p.assign(ctx, m.Slot) // signals again, so that a run that has released the slot since can answer
		case slices.ContainsFunc(p.Waiting, m.Slot.Same):
		case m.Reserve:
			p.remove(m.Slot)
			p.Reserved = append(p.Reserved, run.Reservation{Slot: m.Slot, Until: workflow.Now(ctx).Add(reservationTime)})
		default:
			p.remove(m.Slot)
			p.Waiting = append(p.Waiting, m.Slot)
			slices.SortStableFunc(p.Waiting, func(a, b run.Slot) int { return a.Priority - b.Priority })
		}
	}
}

func (p *poolRun) remove(slot run.Slot) {
	p.Holders = slices.DeleteFunc(p.Holders, slot.Same)
	p.Waiting = slices.DeleteFunc(p.Waiting, slot.Same)
	p.Reserved = slices.DeleteFunc(p.Reserved, func(a run.Reservation) bool { return a.Slot.Same(slot) })
}

// canGrant reports whether the first request can get a slot. The requests after it have no higher
// priority.
func (p *poolRun) canGrant() bool {
	return len(p.Waiting) > 0 && len(p.Holders)+p.reservedBefore(p.Waiting[0]) < p.Slots
}

// reservedBefore counts the slots that are reserved for runs of higher priority than the request.
// That cannot deadlock: a run that has reserved a slot waits only for its own tasks, never for a
// run of lower priority.
func (p *poolRun) reservedBefore(request run.Slot) int {
	n := 0
	for _, a := range p.Reserved {
		if a.Slot.Priority < request.Priority {
			n++
		}
	}
	return n
}

// grant assigns free slots to the requests.
func (p *poolRun) grant(ctx workflow.Context) {
	for p.canGrant() {
		slot := p.Waiting[0]
		p.Waiting = slices.Delete(p.Waiting, 0, 1)
		p.assign(ctx, slot)
	}
}

// assign makes a slot held and signals its run. If the signal fails, the run has ended and the slot
// is free again.
func (p *poolRun) assign(ctx workflow.Context, slot run.Slot) {
	p.Holders = append(p.Holders, slot)
	if err := workflow.SignalExternalWorkflow(ctx, slot.WorkflowID, "", grantSignal, slot).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Info("A run that requested a slot has ended", "pool", p.Name, "run", slot.WorkflowID, "task", slot.Task, "error", err)
		p.remove(slot)
	}
}

// expireReservations removes reservations that were not requested in time.
func (p *poolRun) expireReservations(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(p.Reserved) > 0 })
		_ = sleep(ctx, p.Reserved[0].Until.Sub(workflow.Now(ctx)), "expire reservations")
		now := workflow.Now(ctx)
		p.Reserved = slices.DeleteFunc(p.Reserved, func(a run.Reservation) bool { return !now.Before(a.Until) })
		p.changed = true
	}
}

// reclaimSlots frees the slots of runs that ended without releasing them. It looks only while
// a request waits: at once, and then every reclaimInterval.
func (p *poolRun) reclaimSlots(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(p.Waiting) > 0 && !p.canGrant() })
		var gone activities.GoneSlots
		in := activities.FindGoneInput{Slots: slices.Clone(p.Holders)}
		for _, a := range p.Reserved {
			in.Slots = append(in.Slots, a.Slot)
		}
		if err := executeQuick(ctx, slotPolicy, "find holders that have ended", findGone, in, &gone); err != nil {
			workflow.GetLogger(ctx).Warn("The holders of the pool were not checked; retrying", "pool", p.Name, "error", err)
		}
		for _, slot := range gone.Slots {
			p.remove(slot)
			p.changed = true
		}
		if len(gone.Slots) == 0 {
			_ = sleep(ctx, reclaimInterval, "check the holders again")
		}
	}
}
