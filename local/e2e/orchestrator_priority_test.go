package e2e

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// remoteWork is how long each notebook of the priority test takes: time of another machine, as on
// Databricks. Notebooks that took nothing would leave nothing to wait for but the embedded
// Temporal's SQLite, which serves one request at a time whatever its priority. PINFLOW_CLEANING
// takes another time for the three that clean; 0s leaves all notebooks as they are, on the stack's
// own machine.
const remoteWork = time.Second

func cleaningWork(t *testing.T) time.Duration {
	text := os.Getenv("PINFLOW_CLEANING")
	if text == "" {
		return remoteWork
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "PINFLOW_CLEANING")
	return d
}

// scheduledRun is how quick one run of the Schedule was.
type scheduledRun struct {
	// until is from the firing to the start of the run's first activity on a worker; took is from
	// the run's start to its end.
	until, took time.Duration
}

// A backfill never delays the daily run: with 500 dates queued, 50 of them running and all pools
// taken, a scheduled run starts within a second and takes less than 1.5 times as long as without the
// backfill.
//
// The best of several series counts: whatever else the machine does makes a run longer, and never
// shorter. A backfill that did delay the daily run would do so in all of them.
//
// It measures times, and therefore calls no t.Parallel: it is over before the lanes open
// (lanes_test.go).
func TestPriorityOfTheDailyRun(t *testing.T) {
	const series, rounds, idleRounds, queued, parallel = 3, 5, 3, 500, 50
	const limit = 1.5
	s := startSystem(t)
	s.must("schedule", "apply")
	c := s.temporal()
	s.timeScheduled(c, ago(series*rounds+idleRounds+1)) // makes the tables, whose rows each run counts
	if cleaning := cleaningWork(t); cleaning > 0 {
		for _, task := range workflows.Daily.DAG {
			work := remoteWork
			if strings.HasPrefix(task.ID, "clean") {
				work = cleaning
			}
			s.breakNotebook(task.ID, fmt.Sprintf("-- Databricks notebook source\nSELECT sleep_ms(%d)", work.Milliseconds()))
		}
	}
	idle := s.timeEach(c, series*rounds+1, series*rounds+idleRounds)
	t.Logf("idle: %s", figures(idle))

	from := dates.Date("2020-01-01")
	to := from.Add(queued - 1)
	s.must("backfill", "--from", string(from), "--to", string(to), "--parallel", fmt.Sprint(parallel))
	s.eventually("the backfill is at its width and pools are taken", func() bool {
		progress := s.progress(c, from, to)
		return len(progress.Running) == parallel && progress.Done() > 0
	})
	start, ratio := time.Hour, math.Inf(1)
	for n := 0; n < series && (start >= time.Second || ratio >= limit); n++ {
		before := s.progress(c, from, to)
		busy := s.timeEach(c, n*rounds+1, (n+1)*rounds)
		after := s.progress(c, from, to)
		require.Less(t, after.Done(), queued-parallel, "dates were queued to the end")
		start = min(start, middle(busy, scheduledRun.start))
		ratio = min(ratio, middle(busy, scheduledRun.duration).Seconds()/middle(idle, scheduledRun.duration).Seconds())
		t.Logf("busy: %s; the backfill did %d of its dates meanwhile", figures(busy), after.Done()-before.Done())
	}
	require.Less(t, start, time.Second)
	require.Less(t, ratio, limit, "as many times as long as without the backfill")
}

// timeEach lets the Schedule fire for yesterday and the days before it, from so many to so many
// days ago, one after the other.
func (s *system) timeEach(c client.Client, first, last int) []scheduledRun {
	s.t.Helper()
	var runs []scheduledRun
	for day := first; day <= last; day++ {
		runs = append(runs, s.timeScheduled(c, ago(day)))
	}
	return runs
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
	events := s.history(c, s.deployment().WorkflowID(workflows.Daily.Name, date), "")
	started, ended := events[0], events[len(events)-1]
	require.Equal(s.t, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, ended.EventType)
	work := slices.IndexFunc(events, func(e *historyEvent) bool { return e.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED })
	require.GreaterOrEqual(s.t, work, 0)
	return scheduledRun{
		until: events[work].EventTime.AsTime().Sub(fired),
		took:  ended.EventTime.AsTime().Sub(started.EventTime.AsTime()),
	}
}

// progress asks the backfill of these dates how far it is.
func (s *system) progress(c client.Client, from, to dates.Date) run.RangeProgress {
	s.t.Helper()
	answer, err := c.QueryWorkflow(s.t.Context(), s.deployment().RangeWorkflowID(workflows.Daily.Name, from, to), "", run.ProgressQuery)
	require.NoError(s.t, err)
	var progress run.RangeProgress
	require.NoError(s.t, answer.Get(&progress))
	return progress
}

func (r scheduledRun) start() time.Duration { return r.until }

func (r scheduledRun) duration() time.Duration { return r.took }

// middle is the median: one run that the machine held up decides nothing.
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
	text := fmt.Sprintf("median starts after %d ms, takes %d ms", middle(runs, scheduledRun.start).Milliseconds(), middle(runs, scheduledRun.duration).Milliseconds())
	for _, r := range runs {
		text += fmt.Sprintf("; %d, %d", r.until.Milliseconds(), r.took.Milliseconds())
	}
	return text
}
