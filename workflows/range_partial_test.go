package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// A run that ends after its date, but saw the date before it was over, has not done the date.
func TestRangeOfPartialRuns(t *testing.T) {
	in := run.RangeInput{From: someDay, To: someDay, Trigger: run.Scheduled, Reprocess: run.ReprocessFailed}
	at := func(moment time.Time) func(*testsuite.TestWorkflowEnvironment) {
		return func(env *testsuite.TestWorkflowEnvironment) { env.SetStartTime(moment) }
	}

	t.Run("runs_the_date_again_at_once", func(t *testing.T) {
		for _, in := range []run.RangeInput{in, {From: someDay, To: someDay, Reprocess: run.ReprocessNone}, {From: someDay, To: someDay, Reprocess: run.ReprocessAll}} {
			w := newWindow()
			w.partial[someDay] = 1
			r := playRange(t, w, in, withLedger(), at(someDay.End()))
			require.NoError(t, r.err)
			require.Equal(t, []dates.Date{someDay, someDay}, w.starts)
			require.Equal(t, run.RangeResult{From: someDay, To: someDay, Total: 1, Success: 1}, r.result)
		}
	})

	t.Run("runs_it_once_more_only", func(t *testing.T) {
		w := newWindow()
		w.partial[someDay] = 100
		r := playRange(t, w, in, withLedger(), at(someDay.End()))
		require.Len(t, w.starts, 2)
		require.ErrorContains(t, r.err, "1 of 1 dates failed ("+string(someDay)+")")
		require.ErrorContains(t, r.err, "saw the date only up to 2022-10-18 23:59:00 UTC")
	})

	t.Run("leaves_a_date_that_is_not_over", func(t *testing.T) {
		w := newWindow()
		w.partial[someDay] = 1
		r := playRange(t, w, in, withLedger(), at(someDay.Start().Add(12*time.Hour)))
		require.NoError(t, r.err)
		require.Equal(t, []dates.Date{someDay}, w.starts)
		require.Equal(t, 1, r.result.Success)
	})

	t.Run("leaves_a_rerun_of_tasks_that_keeps_a_partial_landing", func(t *testing.T) {
		w := newWindow()
		w.partial[someDay] = 1
		in := in
		in.RerunTasks = dag.Tasks{"query"}
		r := playRange(t, w, in, withLedger(), at(someDay.End()))
		require.NoError(t, r.err)
		require.Equal(t, []dates.Date{someDay}, w.starts)
	})

	t.Run("attaches_to_a_run_that_was_faster", func(t *testing.T) {
		w := newWindow()
		w.partial[someDay] = 1
		second := &secondIsTaken{window: w}
		r := playRange(t, w, in, withLedger(), at(someDay.End()), second.prepare)
		require.NoError(t, r.err)
		require.Equal(t, []dates.Date{someDay}, w.starts)
		require.Equal(t, 1, r.result.Success)
		require.Equal(t, 1, r.result.Attached)
	})

	t.Run("also_if_the_range_had_continued_as_new", func(t *testing.T) {
		w := newWindow()
		in := in
		in.Parallel = 1
		in.Carried = &run.RangeProgress{
			RangeResult: run.RangeResult{From: someDay, To: someDay, Total: 1}, Parallel: 1, Next: 1,
			Running: []*run.InFlight{{Date: someDay, RunID: "r1", Asked: someDay.End()}},
		}
		r := playRange(t, w, in, at(someDay.End()), func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.AwaitRun, mock.Anything, mock.Anything).
				Return(activities.RunEnd{Found: true, Success: true, RunID: "r1", Closed: someDay.End(), Partial: true, Until: someDay.End().Add(-time.Second)}, nil).Once()
		})
		require.NoError(t, r.err)
		require.Equal(t, []dates.Date{someDay}, w.starts)
		require.Equal(t, 1, r.result.Success)
	})
}

// secondIsTaken lets an operator start the date's second run before the range does.
type secondIsTaken struct{ *window }

func (s *secondIsTaken) prepare(env *testsuite.TestWorkflowEnvironment) {
	s.ends = func(date dates.Date) error {
		s.taken[date] = 1
		return nil
	}
	env.OnActivity(steps.AwaitRun, mock.Anything, mock.Anything).Return(activities.RunEnd{Found: true, Success: true, RunID: "r2", Closed: someDay.End().Add(time.Hour)}, nil).Once()
}
