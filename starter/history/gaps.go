package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/term"
)

// GapState is the kind of a gap.
type GapState string

// The kinds of gaps.
const (
	// GapMissed is a date for which the Schedule did not fire: Temporal was down for longer than the
	// catchup window, or there was no Schedule.
	GapMissed GapState = "missed"
	// GapSkipped is a date whose firing came while the Schedule was paused.
	GapSkipped GapState = "skipped"
	// GapDropped is a date whose firing overlapped with an earlier one, or did not fit Temporal's
	// buffer.
	GapDropped GapState = "dropped"
	// GapWaiting is a date that has fired and has no run yet.
	GapWaiting GapState = "waiting"
	// GapLost is a date whose range ended without a run.
	GapLost GapState = "lost"
	// GapFailed is a date whose run failed.
	GapFailed GapState = "failed"
	// GapCancelled is a date whose run was cancelled.
	GapCancelled GapState = "cancelled"
	// GapBlocked is a date whose open run is blocked.
	GapBlocked GapState = "blocked"
	// GapPartial is a date whose run came before the date was over.
	GapPartial GapState = "partial"
	// GapOverdue is a date whose run is still running after the deadline.
	GapOverdue GapState = "overdue"
)

// Gap is a date that is over without a good result, and without a run that produces one in time.
type Gap struct {
	Date  dates.Date `json:"date"`
	State GapState   `json:"state"`
	// Cause is why, as far as that is known, Command the command that fixes it.
	Cause   string `json:"cause"`
	Command string `json:"command"`
	// Firing is when the Schedule should have started it; zero if the Schedule does not fire for
	// the date.
	Firing time.Time `json:"firing,omitzero"`
	// Overdue reports whether the deadline of the run has passed.
	Overdue  bool      `json:"overdue"`
	Deadline time.Time `json:"deadline,omitzero"`
}

// dateFact is what ledger and visibility know of a date's latest run.
type dateFact struct {
	state         run.State
	partial, open bool
	// recorded reports whether the ledger has the run, with its tasks.
	recorded bool
	// outside reports whether the run was ended from outside and the ledger does not have it: its
	// Databricks runs may still write.
	outside bool
	until   time.Time
	why     string
}

// RangeFact is the state of the range that a firing started.
type RangeFact struct {
	Known, Running bool
	Status         run.State
}

// ScheduleCounts is the state of a Schedule that explains gaps.
type ScheduleCounts struct {
	// Gone reports whether there should be a Schedule, and is none.
	Gone   bool
	Paused bool
	Note   string
	// Created is when the Schedule was created.
	Created                  time.Time
	Missed, Skipped, Dropped int64
}

// GapFacts is what the gaps are computed from.
type GapFacts struct {
	Definition dag.Definition
	// Command returns the command line of a subcommand about the DAG.
	Command  func(args string) string
	Firings  []schedule.Firing
	Entries  []ledger.Entry
	Runs     map[dates.Date]dateFact
	Ranges   map[dates.Date]RangeFact
	Schedule ScheduleCounts
	Now      time.Time
}

// startGrace is how long a firing may take to become a run before its date counts as a gap.
const startGrace = time.Minute

// latestRuns joins ledger and visibility to the latest run of each date. A run that closed without
// a ledger entry was ended from outside.
func latestRuns(entries []ledger.Entry, rows []RunRow) map[dates.Date]dateFact {
	facts, started := map[dates.Date]dateFact{}, map[dates.Date]time.Time{}
	recorded := map[string]bool{}
	for _, e := range entries {
		f := dateFact{state: e.State, partial: e.Partial, why: e.Failure(), recorded: true}
		f.until = e.Until
		facts[e.Date], started[e.Date], recorded[e.RunID] = f, e.Started, true
	}
	for _, row := range rows {
		if row.Date == "" || recorded[row.RunID] || row.Started.Before(started[row.Date]) {
			continue
		}
		f := dateFact{partial: row.Partial, open: row.Ended.IsZero(), outside: row.EndedOutside()}
		if f.state, f.why = settled(row.Run); row.Blocked != nil {
			f.why = row.Blocked.String()
		}
		facts[row.Date], started[row.Date] = f, row.Started
	}
	return facts
}

// Gaps returns the dates that need an operator, in their order.
func (g GapFacts) Gaps() []Gap {
	firing := map[dates.Date]time.Time{}
	var expected, all []dates.Date
	for _, f := range g.Firings {
		firing[f.Date] = f.At
		expected = append(expected, f.Date)
	}
	open := map[dates.Date]run.State{}
	for date, fact := range g.Runs {
		if fact.open {
			open[date] = fact.state
		}
		all = append(all, date)
	}
	overdue := map[dates.Date]schedule.OverdueDate{}
	for _, o := range schedule.Overdue(g.Definition, expected, g.Entries, open, g.Now) {
		overdue[o.Date] = o
	}
	all = append(all, expected...)
	slices.Sort(all)
	found := []Gap{}
	for _, date := range slices.Compact(all) {
		late, isLate := overdue[date]
		gap, ok := g.of(date, firing[date], late, isLate)
		if ok {
			gap.Firing, gap.Overdue, gap.Deadline = firing[date], isLate, late.Deadline
			found = append(found, gap)
		}
	}
	return found
}

// of returns the gap of a date; ok is false if there is none.
func (g GapFacts) of(date dates.Date, firing time.Time, late schedule.OverdueDate, isLate bool) (_ Gap, ok bool) {
	fact, r := g.Runs[date]
	switch {
	case r && fact.open && fact.state == run.Blocked:
		return Gap{Date: date, State: GapBlocked, Cause: fact.why, Command: g.terminate(date)}, true
	case r && fact.open && isLate:
		return Gap{Date: date, State: GapOverdue, Cause: late.Reason(), Command: g.Command("status " + string(date))}, true
	case r && fact.open, !date.Over(g.Now):
		return Gap{}, false
	case r && fact.state != run.Success:
		gap := Gap{Date: date, State: GapFailed, Command: g.Command("run " + string(date))}
		gap.Cause = cmp.Or(fact.why, "the ledger has no error")
		if fact.state == run.Cancelled {
			gap.State, gap.Cause = GapCancelled, cmp.Or(fact.why, "its run was cancelled")
		}
		switch {
		case fact.outside:
			gap.Command = g.terminate(date)
		case fact.recorded && !fact.partial:
			gap.Command = g.Command(fmt.Sprintf("rerun %s --failed", date))
		}
		return gap, true
	case r && fact.partial:
		cause := "it ran before the date was over"
		if !fact.until.IsZero() {
			cause = fmt.Sprintf("it has the records up to %s UTC only", term.Moment(fact.until))
		}
		return Gap{Date: date, State: GapPartial, Cause: cause, Command: g.Command("run " + string(date))}, true
	case r:
		return Gap{}, false
	}
	state, cause := g.missing(date, firing)
	return Gap{Date: date, State: state, Cause: cause, Command: g.Command("run " + string(date))}, state != ""
}

func (g GapFacts) terminate(date dates.Date) string {
	return g.Command(fmt.Sprintf("terminate %s --reason text", date))
}

// missing returns why a date for which the Schedule should have fired has no run. Temporal's counts
// are about all dates, so that each possible cause is named.
func (g GapFacts) missing(date dates.Date, firing time.Time) (GapState, string) {
	r, s := g.Ranges[date], g.Schedule
	switch {
	case g.Now.Sub(firing) < startGrace:
		return "", ""
	case r.Running:
		return GapWaiting, "the Schedule has fired, but no worker has started the run"
	case r.Known && r.Status == run.Success:
		return GapLost, "the run has ended, but the ledger has no entry"
	case r.Known:
		return GapLost, fmt.Sprintf("the workflow that the Schedule started ended without a run (%s)", r.Status)
	case s.Gone:
		return GapMissed, "there is no Schedule: it was deleted, or never created"
	case firing.Before(s.Created):
		return GapMissed, fmt.Sprintf("the Schedule was created later, at %s UTC", term.Moment(s.Created))
	case s.Missed > 0 && !s.Paused:
		return GapMissed, fmt.Sprintf("Temporal was down at its firing (%s missed)", term.Count(s.Missed, "firing"))
	case s.Skipped+s.Dropped > 0 && !s.Paused:
		return GapDropped, fmt.Sprintf("the firing was dropped (%d by overlap, %d by a full buffer)", s.Skipped, s.Dropped)
	case s.Paused && s.Missed+s.Skipped+s.Dropped > 0:
		lost := term.Count(s.Missed+s.Skipped+s.Dropped, "firing")
		return GapSkipped, fmt.Sprintf("the Schedule is paused (%s), or the firing was missed (%s so far)", s.Note, lost)
	case s.Paused:
		return GapSkipped, fmt.Sprintf("the Schedule is paused: %s", s.Note)
	}
	return GapSkipped, "the Schedule was paused or changed when it should have fired"
}
