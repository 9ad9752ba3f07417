package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

// The world's time is noon of 2022-10-19. The date 2022-10-18 fired at midnight, and was due at six.
func TestGaps_SayWhyADateHasNoResultAndWhatMendsIt(t *testing.T) {
	const date = dates.Date("2022-10-18")
	entry := func(state run.State, partial bool) []ledger.Entry {
		until := date.Start().Add(9 * time.Hour)
		return []ledger.Entry{{Status: run.Status{Date: date, State: state, Partial: partial, Until: until, Error: "clean_geo failed", RunID: "r1", Started: date.End()}}}
	}
	row := func(state string, started, ended time.Time) []runRow {
		return []runRow{{Date: date, State: state, RunID: "r2", Started: started, Ended: ended}}
	}
	later := date.End().Add(time.Hour)
	for name, c := range map[string]struct {
		entries  []ledger.Entry
		rows     []runRow
		ran      rangeFact
		schedule scheduleCounts
		now      time.Time // noon if zero
		state    gapState  // empty: no gap
		cause    string
		command  string
		overdue  bool
	}{
		"has run":                    {entries: entry(run.Success, false)},
		"runs, and is not due":       {rows: row("running", date.End(), time.Time{}), now: date.End().Add(5 * time.Hour)},
		"runs again":                 {entries: entry(run.Failed, false), rows: row("running", later, time.Time{})},
		"fires just now":             {now: date.End().Add(30 * time.Second)},
		"hangs":                      {rows: row("running", date.End(), time.Time{}), state: gapOverdue, cause: "its run is running and has not ended", command: "starter status 2022-10-18", overdue: true},
		"is held":                    {rows: row("held", date.End(), time.Time{}), state: gapOverdue, cause: "its run is held", command: "starter status 2022-10-18", overdue: true},
		"failed":                     {entries: entry(run.Failed, false), state: gapFailed, cause: "clean_geo failed", command: "starter rerun 2022-10-18 --failed"},
		"seen in part":               {entries: entry(run.Success, true), state: gapPartial, cause: "seen up to 2022-10-18 09:00:00 UTC only", command: "starter run 2022-10-18", overdue: true},
		"terminated":                 {rows: row("terminated", date.End(), later), state: gapFailed, cause: "ended from outside: terminated", command: "starter run 2022-10-18", overdue: true},
		"run again and terminated":   {entries: entry(run.Success, false), rows: row("terminated", later, later), state: gapFailed, cause: "terminated"},
		"an older run of visibility": {entries: entry(run.Success, false), rows: row("terminated", date.Start(), later)},
		"its run waits for a worker": {ran: rangeFact{known: true, running: true}, state: gapWaiting, cause: "no worker has started its run", overdue: true},
		"its range failed":           {ran: rangeFact{known: true, status: "failed"}, state: gapLost, cause: "has ended (failed) without a run", overdue: true},
		"its entry is gone":          {ran: rangeFact{known: true, status: "success"}, state: gapLost, cause: "the ledger has no entry", overdue: true},
		"missed":                     {schedule: scheduleCounts{missed: 2}, state: gapMissed, cause: "2 firings so far", command: "starter run 2022-10-18", overdue: true},
		"dropped":                    {schedule: scheduleCounts{skipped: 1, dropped: 3}, state: gapDropped, cause: "1 overlaps, 3 from a full buffer", overdue: true},
		"paused":                     {schedule: scheduleCounts{paused: true, note: "holiday"}, state: gapSkipped, cause: "the Schedule is paused: holiday", command: "starter run 2022-10-18", overdue: true},
		"paused, and some missed":    {schedule: scheduleCounts{paused: true, note: "holiday", missed: 1}, state: gapSkipped, cause: "paused (holiday), or it was missed (1 firing so far)", overdue: true},
		"was paused":                 {state: gapSkipped, cause: "was paused or changed", overdue: true},
		"was paused, not due yet":    {now: date.End().Add(5 * time.Hour), state: gapSkipped, cause: "was paused"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := gapFacts{
				named: dag.Definition{Name: dailyName, Deadline: 6 * time.Hour}, firings: []schedule.Firing{{At: date.End(), Date: date}}, entries: c.entries,
				runs: latestRuns(c.entries, c.rows), ranges: map[dates.Date]rangeFact{date: c.ran}, schedule: c.schedule, now: c.now,
			}
			if c.now.IsZero() {
				facts.now = noon
			}
			got := facts.gaps()
			if c.state == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Equal(t, c.state, got[0].State)
			require.Contains(t, got[0].Cause, c.cause)
			require.Contains(t, got[0].Command, c.command)
			require.Equal(t, c.overdue, got[0].Overdue)
			require.Equal(t, c.overdue, !got[0].Due.IsZero())
		})
	}
}

func TestGaps_OfDatesThatNobodyExpectsAreTheFailedAlone(t *testing.T) {
	entries := []ledger.Entry{
		{Status: run.Status{Date: "2022-10-01", State: "failed", RunID: "a"}}, {Status: run.Status{Date: "2022-10-02", State: "success", RunID: "b"}}, {Status: run.Status{Date: "2022-10-03", State: "success", Partial: true, RunID: "c"}},
		{Status: run.Status{Date: "2022-10-19", State: "success", Partial: true, RunID: "d"}}, // today
	}
	got := gapFacts{named: dag.Definition{Deadline: time.Hour}, entries: entries, runs: latestRuns(entries, nil), now: noon}.gaps()
	require.Len(t, got, 2)
	require.Equal(t, []any{dates.Date("2022-10-01"), gapFailed, dates.Date("2022-10-03"), gapPartial}, []any{got[0].Date, got[0].State, got[1].Date, got[1].State})
	require.False(t, got[0].Overdue)
	require.True(t, got[0].Firing.IsZero())
}

func TestGaps_OfNeighboursAreFilledAtOnce(t *testing.T) {
	require.Empty(t, neighbours(nil))
	all := neighbours([]gap{{Date: "2022-10-01", State: gapMissed}, {Date: "2022-10-03", State: gapFailed}, {Date: "2022-10-04", State: gapSkipped},
		{Date: "2022-10-05", State: gapSkipped}, {Date: "2022-10-06", State: gapOverdue}, {Date: "2022-10-07", State: gapMissed}})
	require.Len(t, all, 1, "one date needs no backfill, and a run that is going none at all")
	require.Equal(t, "starter backfill --from 2022-10-03 --to 2022-10-05 --reprocess failed", all[0].command())
}

func TestGaps_OfFailedRunsSayWhichTaskFailedAndWhy(t *testing.T) {
	const job = "pinterest-daily 2022-10-18 load try 2 ended as FAILED\ntask load: Catalog Error: no schema\nmore"
	for name, row := range map[string]struct {
		entry ledger.Entry
		want  string
	}{
		"a job":       {ledger.Entry{Status: run.Status{Error: "all of it", Tasks: []run.Task{{ID: "load", State: "failed", Error: job}, {ID: "query", State: "upstream_failed"}}}}, "load: Catalog Error: no schema"},
		"no job":      {ledger.Entry{Status: run.Status{Tasks: []run.Task{{ID: "load", State: "success"}, {ID: "query", State: "failed", Error: "no such topic\nmore"}}}}, "query: no such topic"},
		"no task":     {ledger.Entry{Status: run.Status{Error: "its deadline has passed"}}, "its deadline has passed"},
		"not a thing": {ledger.Entry{}, ""},
	} {
		require.Equal(t, row.want, failureOf(row.entry), name)
	}
}
