package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

// gapState says what kind of gap a date is.
type gapState string

const (
	gapMissed  gapState = "missed"  // Temporal came too late for its firing
	gapSkipped gapState = "skipped" // the Schedule was paused
	gapDropped gapState = "dropped" // an earlier firing's run was in the way, or too many waited
	gapWaiting gapState = "waiting" // its firing has come, its run has not
	gapLost    gapState = "lost"    // its run left nothing
	gapFailed  gapState = "failed"
	gapPartial gapState = "partial"
	gapOverdue gapState = "overdue" // it runs, but should have ended by now
)

// gap is a date that is over and has no good result, and nothing that is making one in time.
type gap struct {
	Date  dates.Date `json:"date"`
	State gapState   `json:"state"`
	// Cause is what is known of why, Command what mends it.
	Cause   string `json:"cause"`
	Command string `json:"command"`
	// Firing is when the Schedule should have started it; zero for a date that the Schedule does not fire for.
	Firing time.Time `json:"firing,omitzero"`
	// Overdue says that the run had to have ended by Due.
	Overdue bool      `json:"overdue"`
	Due     time.Time `json:"due,omitzero"`
}

// dateFact is what ledger and visibility know of a date's latest run.
type dateFact struct {
	state          run.State
	partial, going bool
	// recorded says that the ledger has it, with its tasks.
	recorded bool
	until    time.Time
	why      string
}

// rangeFact is what became of the range that a firing started.
type rangeFact struct {
	known, running bool
	status         string
}

// scheduleCounts are the counts and the state of a Schedule from which the causes of gaps are told.
type scheduleCounts struct {
	paused                   bool
	note                     string
	missed, skipped, dropped int64
}

// gapFacts are all that the gaps are told from.
type gapFacts struct {
	named    dag.Definition
	firings  []schedule.Firing
	entries  []ledger.Entry
	runs     map[dates.Date]dateFact
	ranges   map[dates.Date]rangeFact
	schedule scheduleCounts
	now      time.Time
}

// startGrace is how long a firing may take to become a run before its date counts as a gap.
const startGrace = time.Minute

// latestRuns joins ledger and visibility: the latest run of each date. A run that has ended without a ledger entry was ended from outside.
func latestRuns(entries []ledger.Entry, rows []runRow) map[dates.Date]dateFact {
	facts, started := map[dates.Date]dateFact{}, map[dates.Date]time.Time{}
	recorded := map[string]bool{}
	for _, e := range entries {
		f := dateFact{state: run.State(e.State), partial: e.Partial, why: failureOf(e), recorded: true}
		f.until = e.Until
		facts[e.Date], started[e.Date], recorded[e.RunID] = f, e.Started, true
	}
	for _, row := range rows {
		if row.Date == "" || recorded[row.RunID] || row.Started.Before(started[row.Date]) {
			continue
		}
		f := dateFact{state: run.State(row.State), partial: row.Partial, going: row.Ended.IsZero()}
		if !f.going && f.state != run.Success {
			f.state, f.why = run.Failed, "the run was ended from outside: "+row.State
		}
		facts[row.Date], started[row.Date] = f, row.Started
	}
	return facts
}

// failureOf is why a run failed, as short as it can be told: the first task that failed, and what its job said.
func failureOf(e ledger.Entry) string {
	for _, task := range e.Tasks {
		if run.State(task.State) != run.Failed || task.Error == "" {
			continue
		}
		said, job, _ := strings.Cut(task.Error, "\n")
		if job, ok := strings.CutPrefix(job, "task "+task.ID+": "); ok { // the line before only says that the job has failed
			said, _, _ = strings.Cut(job, "\n")
		}
		return task.ID + ": " + said
	}
	return e.Error
}

// gaps are the dates that need somebody, in their order. It is pure.
func (g gapFacts) gaps() []gap {
	firing := map[dates.Date]time.Time{}
	var expected, all []dates.Date
	for _, f := range g.firings {
		firing[f.Date] = f.At
		expected = append(expected, f.Date)
	}
	going := map[dates.Date]run.State{}
	for date, fact := range g.runs {
		if fact.going {
			going[date] = fact.state
		}
		all = append(all, date)
	}
	overdue := map[dates.Date]schedule.OverdueDate{}
	for _, o := range schedule.Overdue(g.named, expected, g.entries, going, g.now) {
		overdue[o.Date] = o
	}
	all = append(all, expected...)
	slices.Sort(all)
	found := []gap{}
	for _, date := range slices.Compact(all) {
		late, isLate := overdue[date]
		gap, ok := g.of(date, firing[date], late, isLate)
		if ok {
			gap.Firing, gap.Overdue, gap.Due = firing[date], isLate, late.Deadline
			found = append(found, gap)
		}
	}
	return found
}

// of tells one date's gap; ok is false if there is none.
func (g gapFacts) of(date dates.Date, firing time.Time, late schedule.OverdueDate, isLate bool) (_ gap, ok bool) {
	fact, r := g.runs[date]
	switch {
	case r && fact.going && isLate:
		return gap{Date: date, State: gapOverdue, Cause: late.Reason(), Command: "starter status " + string(date)}, true
	case r && fact.going, !date.Over(g.now):
		return gap{}, false
	case r && fact.state != run.Success && fact.recorded && !fact.partial:
		return gap{Date: date, State: gapFailed, Cause: orUnknown(fact.why), Command: fmt.Sprintf("starter rerun %s --failed", date)}, true
	case r && fact.state != run.Success:
		return gap{Date: date, State: gapFailed, Cause: orUnknown(fact.why), Command: "starter run " + string(date)}, true
	case r && fact.partial:
		cause := "its run came before the date was over"
		if !fact.until.IsZero() {
			cause = fmt.Sprintf("seen up to %s UTC only", moment(fact.until))
		}
		return gap{Date: date, State: gapPartial, Cause: cause, Command: "starter run " + string(date)}, true
	case r:
		return gap{}, false
	}
	state, cause := g.missing(date, firing)
	return gap{Date: date, State: state, Cause: cause, Command: "starter run " + string(date)}, state != ""
}

func orUnknown(why string) string {
	if why == "" {
		return "the ledger does not say why"
	}
	return why
}

// missing says why a date for which the Schedule should have fired has no run. What Temporal counts it counts over all dates, so where
// there are several possible causes all are named.
func (g gapFacts) missing(date dates.Date, firing time.Time) (gapState, string) {
	r, s := g.ranges[date], g.schedule
	switch {
	case g.now.Sub(firing) < startGrace:
		return "", ""
	case r.running:
		return gapWaiting, "it has fired, but no worker has started its run"
	case r.known && r.status == string(run.Success):
		return gapLost, "its range has ended, but the ledger has no entry"
	case r.known:
		return gapLost, fmt.Sprintf("its range has ended (%s) without a run", r.status)
	case s.missed > 0 && !s.paused:
		return gapMissed, fmt.Sprintf("its firing was missed, Temporal was away (%s so far)", count(s.missed, "firing"))
	case s.skipped+s.dropped > 0 && !s.paused:
		return gapDropped, fmt.Sprintf("its firing was dropped (%d overlaps, %d from a full buffer)", s.skipped, s.dropped)
	case s.paused && s.missed+s.skipped+s.dropped > 0:
		return gapSkipped, fmt.Sprintf("the Schedule is paused (%s), or it was missed (%s so far)", s.note, count(s.missed+s.skipped+s.dropped, "firing"))
	case s.paused:
		return gapSkipped, fmt.Sprintf("the Schedule is paused: %s", s.note)
	}
	return gapSkipped, "the Schedule was paused or changed when it should fire"
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
