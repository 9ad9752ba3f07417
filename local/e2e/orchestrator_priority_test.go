package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/workflows"
)

// scheduledRun is how quick one run of the Schedule was.
type scheduledRun struct {
	// until is from the firing until the run had its first activity on a worker; took is from the run's start to its end.
	until, took time.Duration
}

// A backfill never delays the daily run: with 500 dates queued, a scheduled run starts within a second, and takes less than twice as
// long as without the backfill.
func TestBackfill_NeverDelaysTheDailyRun(t *testing.T) {
	const rounds = 5
	s := startSystem(t)
	s.must("schedule", "apply")
	c := s.temporal()
	measure := func(first int) []scheduledRun {
		var runs []scheduledRun
		for day := first; day < first+rounds; day++ {
			runs = append(runs, s.timeScheduled(c, ago(day)))
		}
		return runs
	}
	s.timeScheduled(c, ago(20)) // the first run makes the tables
	idle := measure(1 + rounds)

	from := dates.Date("2020-01-01")
	to := from.Add(499)
	s.must("backfill", "--from", string(from), "--to", string(to), "--parallel", "50")
	s.eventually("the backfill is at its width", func() bool { return len(s.progress(c, from, to).Running) == 50 && s.progress(c, from, to).Done() > 0 })
	before := s.progress(c, from, to).Done()
	busy := measure(1)
	after := s.progress(c, from, to)
	require.Len(t, after.Running, 50, "the backfill was going all the time")

	t.Logf("idle: %s", figures(idle))
	t.Logf("busy: %s, %d dates of the backfill done meanwhile", figures(busy), after.Done()-before)
	require.Less(t, middle(busy, func(r scheduledRun) time.Duration { return r.until }), time.Second)
	require.Less(t, middle(busy, func(r scheduledRun) time.Duration { return r.took }), 2*middle(idle, func(r scheduledRun) time.Duration { return r.took }))
}

// timeScheduled lets the Schedule fire for a date and waits until the date's run has ended.
func (s *system) timeScheduled(c client.Client, date dates.Date) scheduledRun {
	s.t.Helper()
	fired := time.Now()
	s.fire(c, date)
	s.eventually("the run has ended", func() bool {
		runs := s.executions(c, date)
		return len(runs) == 1 && runs[0].CloseTime != nil
	})
	events := s.history(c, workflows.RunID(workflows.DailyName, date), "")
	started, ended := events[0], events[len(events)-1]
	require.Equal(s.t, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, ended.EventType)
	work := slices.IndexFunc(events, func(e *historyEvent) bool { return e.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED })
	return scheduledRun{
		until: events[work].EventTime.AsTime().Sub(fired),
		took:  ended.EventTime.AsTime().Sub(started.EventTime.AsTime()),
	}
}

// progress asks the backfill of these dates how far it is.
func (s *system) progress(c client.Client, from, to dates.Date) workflows.RangeProgress {
	s.t.Helper()
	answer, err := c.QueryWorkflow(s.t.Context(), workflows.RangeID(workflows.DailyName, from, to), "", workflows.ProgressQuery)
	require.NoError(s.t, err)
	var progress workflows.RangeProgress
	require.NoError(s.t, answer.Get(&progress))
	return progress
}

func middle(runs []scheduledRun, of func(scheduledRun) time.Duration) time.Duration {
	var all []time.Duration
	for _, r := range runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// figures writes the runs for a reader.
func figures(runs []scheduledRun) string {
	text := ""
	for _, r := range runs {
		text += fmt.Sprintf("starts %s, takes %s; ", r.until.Round(time.Millisecond), r.took.Round(time.Millisecond))
	}
	return text + fmt.Sprintf("median: starts %s, takes %s",
		middle(runs, func(r scheduledRun) time.Duration { return r.until }).Round(time.Millisecond),
		middle(runs, func(r scheduledRun) time.Duration { return r.took }).Round(time.Millisecond))
}
