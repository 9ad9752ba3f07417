package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
)

// users are runs that use a pool.
type users struct {
	mu      sync.Mutex
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	dead    map[string]bool // workflow ids of runs that have ended
	granted []string
	holding int
	most    int
	checks  int
}

func slot(r int) run.Slot {
	return run.Slot{Pool: "p", WorkflowID: fmt.Sprintf("run-%02d", r), OriginalRunID: "r", Task: "a", Try: 1, Priority: 3}
}

func newUsers(t *testing.T) *users {
	u := &users{t: t, env: newEnv(t, catalog(daily())), dead: map[string]bool{}}
	u.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", grantSignal, mock.Anything).Return(
		func(_, workflowID, _, _ string, _ any) error {
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.dead[workflowID] {
				return errors.New("unknown external workflow execution")
			}
			u.granted = append(u.granted, workflowID)
			u.holding++
			u.most = max(u.most, u.holding)
			return nil
		})
	u.env.OnActivity(findGone, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.FindGoneInput) (activities.GoneSlots, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.checks++
		var gone activities.GoneSlots
		for _, s := range in.Slots {
			if u.dead[s.WorkflowID] {
				gone.Slots = append(gone.Slots, s)
			}
		}
		return gone, nil
	}).Maybe()
	return u
}

// grants returns the workflow ids of the runs that have got a slot.
func (u *users) grants() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.granted)
}

// kill ends a run that holds a slot.
func (u *users) kill(s run.Slot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dead[s.WorkflowID] = true
	u.holding--
}

func (u *users) after(d time.Duration, do func()) { u.env.RegisterDelayedCallback(do, d) }

func (u *users) request(s run.Slot, slots int) {
	u.env.SignalWorkflow(run.PoolSignal, run.SlotMessage{Slot: s, Slots: slots})
}

func (u *users) release(s run.Slot) {
	u.mu.Lock()
	u.holding--
	u.mu.Unlock()
	u.env.SignalWorkflow(run.PoolSignal, run.SlotMessage{Slot: s, Slots: 1, Release: true})
}

func (u *users) state() run.PoolState {
	answer, err := u.env.QueryWorkflow(run.PoolQuery)
	require.NoError(u.t, err)
	var state run.PoolState
	require.NoError(u.t, answer.Get(&state))
	return state
}

func (u *users) play(state run.PoolState) error {
	u.env.ExecuteWorkflow(run.PoolWorkflow, state)
	require.True(u.t, u.env.IsWorkflowCompleted())
	u.env.AssertExpectations(u.t)
	return u.env.GetWorkflowError()
}

func TestPool(t *testing.T) {
	t.Run("never_grants_more_than_its_slots_and_grants_in_order", func(t *testing.T) {
		for _, n := range []int{1, 3} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				u := newUsers(t)
				var want []string
				for run := range 12 {
					u.after(time.Duration(run)*time.Second, func() { u.request(slot(run), n) })
					u.after(time.Duration(run+1)*time.Minute, func() { u.release(slot(run)) })
					want = append(want, slot(run).WorkflowID)
				}
				require.NoError(t, u.play(run.PoolState{Name: "p"}))
				require.Equal(t, want, u.grants())
				require.Equal(t, n, u.most)
			})
		}
	})

	t.Run("grants_the_daily_run_before_backfills", func(t *testing.T) {
		u := newUsers(t)
		backfill := func(run int) run.Slot { s := slot(run); s.Priority = 5; return s }
		u.after(0, func() { u.request(backfill(1), 1) })
		u.after(time.Second, func() { u.request(backfill(2), 1); u.request(backfill(3), 1); u.request(slot(4), 1) })
		for i, s := range []run.Slot{backfill(1), slot(4), backfill(2), backfill(3)} {
			u.after(time.Duration(i+1)*time.Minute, func() { u.release(s) })
		}
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, []string{"run-01", "run-04", "run-02", "run-03"}, u.grants())
	})

	t.Run("ends_when_it_is_not_used", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1) })
		u.after(time.Hour, func() { u.release(slot(1)) })
		began := u.env.Now()
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, time.Hour, u.env.Now().Sub(began).Round(time.Second))
		require.Zero(t, u.checks, "holders are checked only while a request waits")
	})

	t.Run("reclaims_the_slot_of_a_run_that_has_ended", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		var waited time.Duration
		u.after(10*time.Minute, func() { u.kill(slot(1)) })
		for minute := range 20 {
			u.after(time.Duration(minute)*time.Minute+30*time.Second, func() {
				if len(u.grants()) == 2 && waited == 0 {
					waited = time.Duration(minute)*time.Minute + 30*time.Second - 10*time.Minute
					u.release(slot(2))
				}
			})
		}
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, []string{"run-01", "run-02"}, u.grants())
		require.LessOrEqual(t, waited, reclaimInterval+30*time.Second)
	})

	t.Run("reclaims_at_once_when_the_first_request_comes", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1) })
		u.after(time.Hour, func() { u.kill(slot(1)); u.request(slot(2), 1) })
		u.after(time.Hour+time.Second, func() { require.Equal(t, []string{"run-01", "run-02"}, u.grants()); u.release(slot(2)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
	})

	t.Run("passes_over_a_request_of_a_run_that_has_ended", func(t *testing.T) {
		u := newUsers(t)
		u.dead["run-02"] = true
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1); u.request(slot(3), 1) })
		u.after(time.Minute, func() { u.release(slot(1)) })
		u.after(2*time.Minute, func() { u.release(slot(3)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, []string{"run-01", "run-03"}, u.grants())
	})

	t.Run("a_request_can_be_withdrawn", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		u.after(time.Minute, func() {
			u.env.SignalWorkflow(run.PoolSignal, run.SlotMessage{Slot: slot(2), Release: true})
		})
		u.after(2*time.Minute, func() { require.Empty(t, u.state().Waiting); u.release(slot(1)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, []string{"run-01"}, u.grants())
	})

	t.Run("requests_are_idempotent", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(1), 1); u.request(slot(2), 1); u.request(slot(2), 1) })
		u.after(time.Minute, func() {
			require.Equal(t, run.PoolState{Name: "p", Slots: 1, Holders: []run.Slot{slot(1)}, Waiting: []run.Slot{slot(2)}}, u.state())
			u.release(slot(1))
		})
		u.after(2*time.Minute, func() { u.release(slot(2)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Equal(t, []string{"run-01", "run-02"}, u.grants())
	})

	t.Run("a_slot_outlives_the_pool_that_granted_it", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(2), 1) })
		u.after(time.Minute, func() {
			u.env.SignalWorkflow(run.PoolSignal, run.SlotMessage{Slot: slot(1), Slots: 1, Held: true})
			u.request(slot(3), 1)
		})
		u.after(2*time.Minute, func() { require.Len(t, u.state().Holders, 2); u.release(slot(2)) })
		u.after(3*time.Minute, func() {
			require.Equal(t, []run.Slot{slot(3)}, u.state().Waiting, "run-01 still works")
			u.release(slot(1))
		})
		u.after(4*time.Minute, func() { u.release(slot(3)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
	})

	t.Run("ignores_cancellation", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		u.after(time.Minute, u.env.CancelWorkflow)
		u.after(2*time.Minute, func() { require.Len(t, u.grants(), 1); u.release(slot(1)) })
		u.after(3*time.Minute, func() { u.release(slot(2)) })
		require.NoError(t, u.play(run.PoolState{Name: "p"}))
		require.Len(t, u.grants(), 2)
	})

	t.Run("continues_as_new_with_its_slots", func(t *testing.T) {
		u := newUsers(t)
		u.after(0, func() { u.request(slot(1), 1); u.request(slot(2), 1) })
		u.after(time.Minute, func() { u.env.SetContinueAsNewSuggested(true); u.request(slot(3), 1) })
		err := u.play(run.PoolState{Name: "p"})
		var next *workflow.ContinueAsNewError
		require.ErrorAs(t, err, &next)
		var state run.PoolState
		require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &state))
		require.Equal(t, run.PoolState{Name: "p", Slots: 1, Holders: []run.Slot{slot(1)}, Waiting: []run.Slot{slot(2), slot(3)}}, state)

		v := newUsers(t)
		v.holding = 1
		v.after(0, func() { v.release(slot(1)) })
		v.after(time.Minute, func() { v.release(slot(2)) })
		v.after(2*time.Minute, func() { v.release(slot(3)) })
		require.NoError(t, v.play(state))
		require.Equal(t, []string{"run-02", "run-03"}, v.grants())
	})
}
