package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

// dailySlot is of a run with a higher priority than those of slot.
func dailySlot() run.Slot {
	return run.Slot{Pool: "p", WorkflowID: "daily", OriginalRunID: "r", Task: "a", Try: 1, Priority: 2}
}

func (u *users) reserve(s run.Slot, slots int) {
	u.env.SignalWorkflow(run.PoolSignal, run.SlotMessage{Slot: s, Slots: slots, Reserve: true})
}

func TestPoolReserve(t *testing.T) {
	t.Run("keeps_a_reserved_slot_from_runs_of_lower_priority", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		u.after(time.Minute, func() { u.reserve(dailySlot(), 1) })
		u.after(2*time.Minute, func() { u.release(slot(1)) })
		u.after(3*time.Minute, func() {
			require.Equal(t, []string{"run-01"}, u.grants(), "run-02 waits, though the slot is free")
			require.Equal(t, dailySlot(), u.state().Reserved[0].Slot)
			u.request(dailySlot(), 1)
		})
		u.after(4*time.Minute, func() {
			require.Equal(t, run.PoolState{Name: "p", Slots: 1, Holders: []run.Slot{dailySlot()}, Waiting: []run.Slot{slot(2)}}, u.state())
			u.release(dailySlot())
		})
		u.after(5*time.Minute, func() { u.release(slot(2)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, []string{"run-01", "daily", "run-02"}, u.grants())
	})

	t.Run("keeps_only_reserved_slots_and_none_from_runs_of_the_same_priority", func(t *testing.T) {
		u := newUsers(t)
		equal := dailySlot()
		equal.WorkflowID = "other"
		u.after(0, func() { u.request(slot(1), 3) })
		u.after(time.Minute, func() { u.reserve(dailySlot(), 3); u.reserve(dailySlot(), 3) })
		u.after(2*time.Minute, func() { u.request(slot(2), 3); u.request(slot(3), 3) })
		u.after(3*time.Minute, func() { u.request(equal, 3) })
		u.after(4*time.Minute, func() {
			require.Equal(t, []string{"run-01", "run-02", "other"}, u.grants())
			u.release(slot(1))
			u.release(slot(2))
			u.release(equal)
		})
		u.after(5*time.Minute, func() { u.release(slot(3)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}), "it ends although the reservation is never requested")
	})

	t.Run("reclaims_the_reservation_of_a_run_that_has_ended", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		u.after(time.Second, func() { u.reserve(dailySlot(), 1) })
		u.after(2*time.Second, func() { u.mu.Lock(); u.dead["daily"] = true; u.mu.Unlock(); u.release(slot(1)) })
		u.after(2*reclaimInterval, func() { require.Equal(t, []string{"run-01", "run-02"}, u.grants()); u.release(slot(2)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
	})

	t.Run("expires_reservations", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		u.after(time.Second, func() { u.reserve(dailySlot(), 1) })
		u.after(2*time.Second, func() { u.release(slot(1)) })
		u.after(reservationTime-time.Second, func() { require.Equal(t, []string{"run-01"}, u.grants()) })
		u.after(reservationTime+2*reclaimInterval, func() { require.Equal(t, []string{"run-01", "run-02"}, u.grants()); u.release(slot(2)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
	})
}
