package pools

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// joint is an operator that works ten minutes for several dates at once, unless one of them is bad.
type joint struct {
	log  *journal[string]
	bad  map[dates.Date]bool
	tell func(tries []operators.TaskInstance)
}

func (*joint) Effects() dag.Effects { return dag.Effects{} }

func (*joint) GoesTogether(operators.TaskInstance) bool { return true }

func (j *joint) Run(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	outs, err := j.RunTogether(ctx, []operators.TaskInstance{try})
	return outs[0], err
}

func (j *joint) RunTogether(ctx workflow.Context, tries []operators.TaskInstance) ([]run.Outcome, error) {
	names, outs := make([]string, len(tries)), make([]run.Outcome, len(tries))
	var err error
	for i, try := range tries {
		names[i] = strings.TrimPrefix(try.WorkflowID, "run-")
		outs[i].Link = "https://databricks/" + try.WorkflowID
		for _, other := range tries {
			if len(tries) > 1 {
				outs[i].Together = append(outs[i].Together, other.Date)
			}
		}
		if j.bad[try.Date] {
			err = temporal.NewNonRetryableApplicationError("bad "+names[i], failure.NotebookFailed, nil)
		}
	}
	group := strings.Join(names, " ")
	j.log.Add("start " + group)
	if j.tell != nil {
		j.tell(tries)
	}
	if slept := workflow.Sleep(ctx, 10*time.Minute); slept != nil {
		err = slept
	}
	j.log.Add("end " + group)
	return outs, err
}

// jointUsers are users whose requests go together.
type jointUsers struct {
	*users
	*joint
	operator []byte
}

func newJointUsers(t *testing.T) *jointUsers {
	u := newUsers(t)
	j := &jointUsers{users: u, joint: &joint{log: &u.log, bad: map[dates.Date]bool{}}}
	var err error
	j.operator, err = keeping{}.Encode(j.joint)
	require.NoError(t, err)
	return j
}

// askAll sends the requests of runs that may go together.
func (u *jointUsers) askAll(from, to int, change ...func(*run.Request)) {
	for n := from; n <= to; n++ {
		u.ask(n, append([]func(*run.Request){func(r *run.Request) { r.Operator, r.Together, r.Priority = u.operator, 64, 5 }}, change...)...)
	}
}

func (u *jointUsers) lines() []string { return u.users.log.All() }

// answered returns the answers as text, sorted.
func (u *jointUsers) answered() (all []string) {
	for _, a := range u.answers.All() {
		text := strings.TrimPrefix(a.Request.WorkflowID, "run-")
		switch {
		case a.Cancelled:
			text += " cancelled"
		case a.Error != "":
			text += " " + a.Error
		}
		if n := len(a.Done.Outcome.Together); n > 0 {
			text += fmt.Sprintf(" of %d", n)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestGroups(t *testing.T) {
	together := func(n int) func(*run.Request) { return func(r *run.Request) { r.Together = n } }

	t.Run("what_waits_while_another_works_goes_together", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() { u.askAll(1, 1) })
		u.after(time.Minute, func() { u.askAll(2, 5) })
		require.Equal(t, run.PoolsState{Rebuilt: true}, u.play(run.PoolsState{}))
		require.Equal(t, []string{"start 01", "end 01", "start 02 03 04 05", "end 02 03 04 05"}, u.lines())
		require.Equal(t, []string{"01", "02 of 4", "03 of 4", "04 of 4", "05 of 4"}, u.answered())
		for _, started := range u.reported.All()[1:] {
			require.Equal(t, []dates.Date{someDay.Add(2), someDay.Add(3), someDay.Add(4), someDay.Add(5)}, started.Together)
		}
	})

	// The runs of a group request their next task while it is answered, which can take seconds.
	t.Run("a_group_waits_for_the_dates_of_one_that_is_being_answered", func(t *testing.T) {
		u := newJointUsers(t)
		next := func(r *run.Request) { r.Task, r.ActivityID, r.Pool = "b", "b-try-1", "q" }
		u.after(0, func() { u.askAll(1, 20) })
		u.answering.After(3 * time.Second) // for each eight of the twenty
		u.onAnswer = func(a activities.AnswerRequestInput) {
			if a.Request.Task == "a" {
				n := someDay.Days(a.Request.Date) - 1
				u.after(0, func() { u.askAll(n, n, next) })
			}
		}
		started := u.env.Now()
		u.play(run.PoolsState{})
		require.Len(t, u.lines(), 4, "two groups")
		again := u.reported.All()[20].Started.Sub(started)
		require.Equal(t, quiet+10*time.Minute+3*3*time.Second+quiet, again, "a second after the last answer")
	})

	// All runs of a group continue with their answers, and a server is busy with them: a run of higher
	// priority must not wait behind.
	t.Run("answers_leave_room_for_a_run_of_higher_priority", func(t *testing.T) {
		const minute = time.Minute
		first := func(r *run.Request) { r.Priority = 1 }
		for name, c := range map[string]struct {
			meanwhile func(u *jointUsers)
			want      []time.Duration
		}{
			"without one": {func(*jointUsers) {}, []time.Duration{0, 0}},
			"announced": {func(u *jointUsers) {
				u.send(run.PoolsMessage{Announce: &run.Announcement{WorkflowID: "run-99", RunID: "r", Priority: 1, Pools: map[string]string{"a": "q"}}})
			}, []time.Duration{answerPause, answerPause}},
			"waiting": {func(u *jointUsers) { u.ask(99, first) }, []time.Duration{answerPause, answerPause}},
			"at work": {func(u *jointUsers) {
				u.ask(99, first, func(r *run.Request) { r.Pool = "q" })
			}, []time.Duration{answerPause, answerPause}},
			"of the same priority": {func(u *jointUsers) {
				u.ask(99, func(r *run.Request) { r.Priority, r.Pool = 5, "q" })
			}, []time.Duration{0, 0}},
		} {
			t.Run(name, func(t *testing.T) {
				u := newJointUsers(t)
				u.after(0, func() { u.askAll(1, answersAtOnce+2) })
				u.after(9*minute, func() { c.meanwhile(u) })
				u.play(run.PoolsState{})
				require.Equal(t, c.want, u.pauses.All())
				require.GreaterOrEqual(t, len(u.answers.All()), answersAtOnce+2)
			})
		}
	})

	t.Run("a_group_that_is_full_for_one_of_its_dates_starts_at_once", func(t *testing.T) {
		for _, limits := range [][2]int{{64, 2}, {2, 64}} { // the group is as small as the date with the smaller limit asks
			u := newJointUsers(t)
			var asked, started time.Time
			u.tell = func([]operators.TaskInstance) { started = u.env.Now() }
			u.after(time.Minute, func() {
				asked = u.env.Now()
				for i, limit := range limits {
					u.askAll(i+1, i+1, together(limit))
				}
			})
			u.play(run.PoolsState{Rebuilt: true})
			require.Equal(t, []string{"start 01 02", "end 01 02"}, u.lines())
			require.Less(t, started.Sub(asked), quiet, "limits %v", limits)
		}
	})

	t.Run("a_group_that_is_not_full_waits_a_second_for_the_next_date", func(t *testing.T) {
		for gap, want := range map[time.Duration][]string{
			900 * time.Millisecond:  {"start 01 02 03", "end 01 02 03"},
			1100 * time.Millisecond: {"start 01", "end 01", "start 02 03", "end 02 03"},
		} {
			u := newJointUsers(t)
			for n := range 3 {
				u.after(time.Duration(n)*gap, func() { u.askAll(n+1, n+1) })
			}
			u.play(run.PoolsState{})
			require.Equal(t, want, u.lines(), gap)
		}
	})

	t.Run("a_steady_stream_of_dates_delays_a_group_by_ten_seconds_at_most", func(t *testing.T) {
		u := newJointUsers(t)
		for n := range 40 {
			u.after(time.Duration(n)*500*time.Millisecond, func() { u.askAll(n+1, n+1) })
		}
		u.play(run.PoolsState{})
		first := strings.Fields(u.lines()[0])
		require.InDelta(t, 21, len(first)-1, 1)
	})

	t.Run("a_full_group_starts_at_once", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() { u.askAll(1, 10, together(4)) })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 01 02 03 04", "start 05 06 07 08", "start 09 10"},
			slices.DeleteFunc(u.lines(), func(line string) bool { return line[0] != 's' }))
		require.True(t, u.reported.All()[0].Started.Equal(noon))
	})

	t.Run("what_differs_does_not_go_together", func(t *testing.T) {
		for name, change := range map[string]func(*run.Request){
			"params":   func(r *run.Request) { r.Params = map[string]string{"invalid_followers": "null"} },
			"priority": func(r *run.Request) { r.Priority = 6 },
			"pool":     func(r *run.Request) { r.Pool = "z" },
			"task":     func(r *run.Request) { r.Task = "b" },
			"dag":      func(r *run.Request) { r.DAG = "other" },
			"timeout":  func(r *run.Request) { r.Timeout = time.Hour },
			"counts":   func(r *run.Request) { r.Counts = true },
			"alone":    together(0),
			"date":     func(r *run.Request) { r.WorkflowID, r.RunID = "run-01", "s" },
		} {
			t.Run(name, func(t *testing.T) {
				u := newJointUsers(t)
				u.after(0, func() { u.askAll(1, 2); u.askAll(3, 3, change) })
				u.play(run.PoolsState{})
				for _, line := range u.lines() {
					require.False(t, strings.Contains(line, "03") && strings.Contains(line, "02"), line)
				}
				require.Len(t, u.answers.All(), 3)
			})
		}
	})

	t.Run("landed_bytes_limit_a_group", func(t *testing.T) {
		u := newJointUsers(t)
		large := func(r *run.Request) { r.Bytes = maxGroupBytes/2 - 1 }
		u.after(0, func() { u.askAll(1, 5, large); u.askAll(6, 6, func(r *run.Request) { r.Bytes = 2 * maxGroupBytes }) })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 01 02", "start 03 04", "start 05", "start 06"},
			slices.DeleteFunc(u.lines(), func(line string) bool { return line[0] != 's' }))
	})

	// The notebooks replace all dates from the first to the last of a group.
	t.Run("dates_that_are_far_apart_do_not_go_together", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() {
			for _, n := range []int{1, 8, 9, 60, 64} {
				u.askAll(n, n, together(4))
			}
		})
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 01 08", "start 09", "start 60 64"},
			slices.DeleteFunc(u.lines(), func(line string) bool { return line[0] != 's' }))
	})

	t.Run("the_daily_run_waits_for_no_more_than_the_group_at_work", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() { u.askAll(1, 3) })
		u.after(5*time.Second, func() {
			u.askAll(4, 9)
			u.ask(20, func(r *run.Request) { r.Operator = u.operator })
		})
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 01 02 03", "end 01 02 03", "start 20", "end 20", "start 04 05 06 07 08 09", "end 04 05 06 07 08 09"}, u.lines())
	})

	t.Run("all_dates_of_a_group_share_its_failure", func(t *testing.T) {
		u := newJointUsers(t)
		u.bad[someDay.Add(2)] = true
		u.after(0, func() { u.askAll(1, 3) })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"01 bad 02 of 3", "02 bad 02 of 3", "03 bad 02 of 3"}, u.answered())
	})

	t.Run("cancelling_one_date_does_not_cancel_its_companions", func(t *testing.T) {
		u := newJointUsers(t)
		slots := func(r *run.Request) { r.Slots = 2 }
		u.after(0, func() { u.askAll(1, 3, slots) })
		u.after(time.Minute, func() { u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-02", RunID: "r"}}) })
		u.after(2*time.Minute, func() {
			require.Equal(t, []string{"02 cancelled"}, u.answered())
			// The next run of the date waits until nothing writes the date any more; others do not.
			u.askAll(2, 2, slots, func(r *run.Request) { r.RunID = "s" })
			u.askAll(7, 7, slots)
		})
		require.Equal(t, run.PoolsState{Rebuilt: true}, u.play(run.PoolsState{}))
		require.Equal(t, []string{"start 01 02 03", "start 07", "end 01 02 03", "start 02", "end 07", "end 02"}, u.lines())
		require.Equal(t, []string{"01 of 3", "02", "02 cancelled", "03 of 3", "07"}, u.answered())
	})

	t.Run("a_date_that_is_reset_waits_for_its_group", func(t *testing.T) {
		u := newJointUsers(t)
		slots := func(r *run.Request) { r.Slots = 2 }
		u.closedRuns = map[string]bool{"run-02/r": true}
		u.after(0, func() { u.askAll(1, 3, slots) })
		u.after(time.Minute, func() { u.askAll(2, 2, slots, func(r *run.Request) { r.RunID = "s" }) })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 01 02 03", "end 01 02 03", "start 02", "end 02"}, u.lines())
		require.Equal(t, []string{"01 of 3", "02", "02 cancelled", "03 of 3"}, u.answered())
	})

	t.Run("cancelling_all_dates_cancels_the_work", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() { u.askAll(1, 2) })
		u.after(time.Minute, func() {
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-01", RunID: "r"}})
			u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-02", RunID: "r"}})
		})
		u.after(2*time.Minute, func() { require.Len(t, u.lines(), 2, "ended") })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"01 cancelled", "02 cancelled of 2"}, u.answered())
	})

	t.Run("a_terminated_run_leaves_its_companions_alone", func(t *testing.T) {
		u := newJointUsers(t)
		u.close("run-02")
		u.after(0, func() { u.askAll(1, 3) })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 01 02 03", "end 01 02 03"}, u.lines())
		require.Subset(t, u.answered(), []string{"01 of 3", "03 of 3"})
	})

	t.Run("closed_runs_do_not_enter_a_group_that_waited", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() { u.askAll(9, 9) })
		u.after(time.Minute, func() { u.askAll(1, 3) })
		u.after(2*time.Minute, func() { u.close("run-02") })
		u.play(run.PoolsState{})
		require.Equal(t, []string{"start 09", "end 09", "start 01 03", "end 01 03"}, u.lines())
	})

	t.Run("a_group_stays_together_when_they_continue_as_new", func(t *testing.T) {
		u := newJointUsers(t)
		u.after(0, func() { u.askAll(1, 4) })
		u.after(time.Minute, func() { u.send(run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: "run-02", RunID: "r"}}) })
		carried := u.playFor(2*time.Minute, run.PoolsState{Rebuilt: true})
		require.Len(t, carried.Work, 4)
		require.Equal(t, []string{"02 cancelled"}, u.answered())

		next := newJointUsers(t)
		next.play(carried)
		require.Equal(t, []string{"start 01 02 03 04", "start 01 02 03 04", "end 01 02 03 04"}, u.lines(), "under the identity of before")
		require.Equal(t, []string{"01 of 4", "03 of 4", "04 of 4"}, next.answered())
	})

	t.Run("the_dates_of_a_databricks_run_go_together_again_after_a_termination", func(t *testing.T) {
		u := newJointUsers(t)
		var found activities.FoundRequests
		for n := range 6 {
			r := u.request(n+1, func(r *run.Request) { r.Operator, r.Together, r.Priority, r.Slots = u.operator, 64, 5, 2 })
			found.Requests = append(found.Requests, run.OpenRequest{Request: r, Started: n < 4, JobRunID: []int64{7, 8, 7, 8, 0, 0}[n]})
		}
		u.env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(found, nil).Once()
		u.playFor(24*time.Hour, run.PoolsState{})
		require.Equal(t, []string{"start 01 03", "start 02 04", "start 05 06"}, slices.DeleteFunc(u.lines(), func(line string) bool { return line[0] != 's' }))
	})

	t.Run("a_panic_fails_the_tries_of_all_dates", func(t *testing.T) {
		u := newJointUsers(t)
		u.tell = func(tries []operators.TaskInstance) {
			if len(tries) == 2 {
				panic(errors.New("nil map"))
			}
		}
		u.after(0, func() { u.askAll(1, 2) })
		u.after(time.Hour, func() { u.askAll(3, 3) })
		u.playFor(30*time.Minute, run.PoolsState{Rebuilt: true})
		require.Len(t, u.answers.All(), 2)
		for _, a := range u.answers.All() {
			require.Contains(t, a.Error, "the operator panicked: nil map")
		}
	})
}
