package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/startertest"
)

func TestGaps(t *testing.T) {
	t.Parallel()
	// The world's time is noon of 2022-10-19. The date 2022-10-18 fired at midnight, and was due at
	// six.
	t.Run("say_why_a_date_has_no_result_and_what_fixes_it", func(t *testing.T) {
		t.Parallel()
		const date = dates.Date("2022-10-18")
		entry := func(state run.State, partial bool) []ledger.Entry {
			until := date.Start().Add(9 * time.Hour)
			return []ledger.Entry{{Status: run.Status{Date: date, State: state, Partial: partial, Until: until, Error: "clean_geo failed", RunID: "r1", Started: date.End()}}}
		}
		row := func(state run.State, started, ended time.Time) []RunRow {
			return []RunRow{{Run: search.Run{Date: date, State: state, RunID: "r2", Started: started, Ended: ended}}}
		}
		later := date.End().Add(time.Hour)
		for name, c := range map[string]struct {
			entries  []ledger.Entry
			rows     []RunRow
			ran      RangeFact
			schedule ScheduleCounts
			now      time.Time // noon if zero
			state    GapState  // empty: no gap
			cause    string
			command  string
			overdue  bool
		}{
			"has run":                    {entries: entry(run.Success, false)},
			"runs, and is not due":       {rows: row("running", date.End(), time.Time{}), now: date.End().Add(5 * time.Hour)},
			"runs again":                 {entries: entry(run.Failed, false), rows: row("running", later, time.Time{})},
			"fires just now":             {now: date.End().Add(30 * time.Second)},
			"hangs":                      {rows: row("running", date.End(), time.Time{}), state: GapOverdue, cause: "its run is running and has not ended", command: "starter status 2022-10-18", overdue: true},
			"is held":                    {rows: row("held", date.End(), time.Time{}), state: GapOverdue, cause: "its run is held", command: "starter status 2022-10-18", overdue: true},
			"failed":                     {entries: entry(run.Failed, false), state: GapFailed, cause: "clean_geo failed", command: "starter rerun 2022-10-18 --failed"},
			"seen in part":               {entries: entry(run.Success, true), state: GapPartial, cause: "up to 2022-10-18 09:00:00 UTC only", command: "starter run 2022-10-18", overdue: true},
			"terminated":                 {rows: row("terminated", date.End(), later), state: GapFailed, cause: "ended from outside: terminated", command: "starter terminate 2022-10-18 --reason text", overdue: true},
			"run again and terminated":   {entries: entry(run.Success, false), rows: row("terminated", later, later), state: GapFailed, cause: "terminated", command: "starter terminate 2022-10-18 --reason text"},
			"timed out":                  {rows: row("timed_out", date.End(), later), state: GapFailed, cause: "timed_out", command: "starter terminate 2022-10-18 --reason text", overdue: true},
			"terminated, and recorded":   {entries: entry(run.Cancelled, false), state: GapCancelled, cause: "clean_geo failed", command: "starter rerun 2022-10-18 --failed"},
			"ended without an entry":     {rows: row(run.Failed, date.End(), later), state: GapFailed, command: "starter run 2022-10-18", overdue: true},
			"an older run of visibility": {entries: entry(run.Success, false), rows: row("terminated", date.Start(), later)},
			"its run waits for a worker": {ran: RangeFact{Known: true, Running: true}, state: GapWaiting, cause: "no worker has started the run", overdue: true},
			"its range failed":           {ran: RangeFact{Known: true, Status: "failed"}, state: GapLost, cause: "ended without a run (failed)", overdue: true},
			"its entry is gone":          {ran: RangeFact{Known: true, Status: "success"}, state: GapLost, cause: "the ledger has no entry", overdue: true},
			"missed":                     {schedule: ScheduleCounts{Missed: 2}, state: GapMissed, cause: "2 firings", command: "starter run 2022-10-18", overdue: true},
			"dropped":                    {schedule: ScheduleCounts{Skipped: 1, Dropped: 3}, state: GapDropped, cause: "1 by overlap, 3 by a full buffer", overdue: true},
			"paused":                     {schedule: ScheduleCounts{Paused: true, Note: "holiday"}, state: GapSkipped, cause: "the Schedule is paused: holiday", command: "starter run 2022-10-18", overdue: true},
			"paused, and some missed":    {schedule: ScheduleCounts{Paused: true, Note: "holiday", Missed: 1}, state: GapSkipped, cause: "paused (holiday), or the firing was missed (1 firing so far)", overdue: true},
			"was paused":                 {state: GapSkipped, cause: "was paused or changed", overdue: true},
			"was paused, not due yet":    {now: date.End().Add(5 * time.Hour), state: GapSkipped, cause: "was paused"},
		} {
			t.Run(name, func(t *testing.T) {
				facts := GapFacts{
					Definition: dag.Definition{Name: "pipeline", Deadline: 6 * time.Hour}, Command: startertest.Command, Firings: []schedule.Firing{{At: date.End(), Date: date}}, Entries: c.entries,
					Runs: latestRuns(c.entries, c.rows), Ranges: map[dates.Date]RangeFact{date: c.ran}, Schedule: c.schedule, Now: c.now,
				}
				if c.now.IsZero() {
					facts.Now = startertest.Noon
				}
				got := facts.Gaps()
				if c.state == "" {
					require.Empty(t, got)
					return
				}
				require.Len(t, got, 1)
				require.Equal(t, c.state, got[0].State)
				require.Contains(t, got[0].Cause, c.cause)
				require.Contains(t, got[0].Command, c.command)
				require.Equal(t, c.overdue, got[0].Overdue)
				require.Equal(t, c.overdue, !got[0].Deadline.IsZero())
			})
		}
	})

	t.Run("without_a_schedule_are_failed_and_partial_dates", func(t *testing.T) {
		t.Parallel()
		entries := []ledger.Entry{
			{Status: run.Status{Date: "2022-10-01", State: "failed", RunID: "a"}}, {Status: run.Status{Date: "2022-10-02", State: "success", RunID: "b"}}, {Status: run.Status{Date: "2022-10-03", State: "success", Partial: true, RunID: "c"}},
			{Status: run.Status{Date: "2022-10-19", State: "success", Partial: true, RunID: "d"}}, // today
		}
		got := GapFacts{Definition: dag.Definition{Deadline: time.Hour}, Command: startertest.Command, Entries: entries, Runs: latestRuns(entries, nil), Now: startertest.Noon}.Gaps()
		require.Len(t, got, 2)
		require.Equal(t, []any{dates.Date("2022-10-01"), GapFailed, dates.Date("2022-10-03"), GapPartial}, []any{got[0].Date, got[0].State, got[1].Date, got[1].State})
		require.False(t, got[0].Overdue)
		require.True(t, got[0].Firing.IsZero())
	})

	t.Run("of_failed_runs_say_which_task_failed_and_why", func(t *testing.T) {
		t.Parallel()
		const job = "pipeline 2022-10-18 load try 2 ended as FAILED\ntask load: Catalog Error: no schema\nmore"
		for name, row := range map[string]struct {
			entry ledger.Entry
			want  string
		}{
			"a job":       {ledger.Entry{Status: run.Status{Error: "all of it", Tasks: []run.Task{{ID: "load", State: "failed", Error: job}, {ID: "query", State: "upstream_failed"}}}}, "load: Catalog Error: no schema"},
			"no job":      {ledger.Entry{Status: run.Status{Tasks: []run.Task{{ID: "load", State: "success"}, {ID: "query", State: "failed", Error: "no such topic\nmore"}}}}, "query: no such topic"},
			"no task":     {ledger.Entry{Status: run.Status{Error: "its deadline has passed"}}, "its deadline has passed"},
			"not a thing": {ledger.Entry{}, ""},
		} {
			require.Equal(t, row.want, row.entry.Failure(), name)
		}
	})
}
