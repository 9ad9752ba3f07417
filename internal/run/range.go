package run

import (
	"cmp"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// MaxParallel is the largest number of dates that a range runs at a time. Temporal limits a
// workflow to 2,000 pending children and activities; a range that wide would only queue at the
// pools.
const MaxParallel = 500

const (
	// DefaultBatch is how many dates go together in one Databricks run if nothing else is asked: a
	// year is then six groups, and a group that fails is split into single dates in six steps.
	DefaultBatch = 64
	// MaxBatch is the largest batch. The Pools workflow reports the start of a group to all of its dates
	// at once, with the list of the dates, and Temporal takes 4 MB for the commands of a workflow task:
	// the groups of five tasks need a fifth of that.
	MaxBatch = 128
)

// RangeInput starts a range: it runs the dates From to To, both included.
type RangeInput struct {
	DAG string `json:"dag"`
	// From and To are empty if a Schedule starts the range, which then runs the last date that is
	// over.
	From dates.Date `json:"from,omitempty"`
	To   dates.Date `json:"to,omitempty"`
	// Parallel is how many dates run at a time; 1 by default.
	Parallel int `json:"parallel,omitempty"`
	// Batch is how many dates go together in one Databricks run at most; DefaultBatch by default.
	Batch     int       `json:"batch,omitempty"`
	Reprocess Reprocess `json:"reprocess,omitempty"`
	// Backwards runs the latest date first.
	Backwards bool      `json:"backwards,omitempty"`
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// The following are passed to the runs; see Input.
	Trigger     Trigger           `json:"trigger"`
	Params      map[string]string `json:"params,omitempty"`
	Hold        bool              `json:"hold,omitempty"`
	RerunTasks  []string          `json:"rerunTasks,omitempty"`
	Drop        Drop              `json:"drop,omitzero"`
	IgnorePast  bool              `json:"ignorePast,omitempty"`
	AcceptGaps  string            `json:"acceptGaps,omitempty"`
	RunTimeout  time.Duration     `json:"runTimeout,omitempty"`
	TriggeredBy string            `json:"triggeredBy,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	// Carried is the progress that the range passes to itself when it continues as new.
	Carried *RangeProgress `json:"carried,omitempty"`
}

// RunInput returns the input of the run of a date, while so many dates run at a time.
func (in RangeInput) RunInput(date dates.Date, parallel int) Input {
	return Input{
		Together: in.together(parallel),
		DAG:      in.DAG, Date: date, Trigger: in.Trigger, Params: in.Params, Hold: in.Hold, RerunTasks: in.RerunTasks, Drop: in.Drop,
		IgnorePast: in.IgnorePast, AcceptGaps: in.AcceptGaps, BackfillStart: in.From, RunTimeout: in.RunTimeout, TriggeredBy: in.TriggeredBy, Tags: in.Tags,
	}
}

// together returns how many dates can go together: not more than run at a time, so that a group of
// all of them does not wait for others.
func (in RangeInput) together(parallel int) int {
	n := min(cmp.Or(in.Batch, DefaultBatch), parallel, in.From.Days(in.To))
	if n == 1 {
		return 0
	}
	return n
}

// RangeResult counts how the dates of a range ended.
type RangeResult struct {
	From  dates.Date `json:"from"`
	To    dates.Date `json:"to"`
	Total int        `json:"total"`
	// Success, Failed, Cancelled and Skipped add up to the dates that are done. Attached counts
	// those among the first three whose run the range did not start itself.
	Success   int `json:"success"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Skipped   int `json:"skipped"`
	Attached  int `json:"attached"`
	// FailedDates holds the first hundred failed dates.
	FailedDates []dates.Date `json:"failedDates,omitempty"`
	// FirstError is the message of the first failure.
	FirstError string `json:"firstError,omitempty"`
	// Stopped is why dates were left out; empty if the range was not stopped.
	Stopped string `json:"stopped,omitempty"`
}

// Done returns how many dates are done.
func (r RangeResult) Done() int { return r.Success + r.Failed + r.Cancelled + r.Skipped }

// Good reports whether all dates have succeeded or were skipped.
func (r RangeResult) Good() bool { return r.Failed+r.Cancelled == 0 && r.Stopped == "" }

// RangeProgress is the answer to ProgressQuery.
type RangeProgress struct {
	RangeResult
	Parallel int         `json:"parallel"`
	Started  time.Time   `json:"started"`
	Running  []*InFlight `json:"running,omitempty"`
	// Paused says who paused the range, why and when; empty if it is not paused.
	Paused string `json:"paused,omitempty"`
	// Next counts the dates, in the range's order, that have been started or skipped.
	Next int `json:"next"`
	// Pace is how fast the runs end.
	Pace Pace `json:"pace"`
}

// InFlight is a date of a range whose run has not ended.
type InFlight struct {
	Date dates.Date `json:"date"`
	// Asked is when the range started the run, or attached to it.
	Asked time.Time `json:"asked"`
	// RunID is the run that the range started; empty until it has started.
	RunID string `json:"runId,omitempty"`
	// Attached reports whether the range waits for a run that it did not start.
	Attached bool `json:"attached,omitempty"`
	// Again reports whether the run is the date's second, because the first saw only part of it.
	Again bool `json:"again,omitempty"`
}

// Settled reports whether the run exists, so that the range may continue as new without losing the
// run or starting it twice.
func (f *InFlight) Settled() bool { return f.RunID != "" || f.Attached }

// Left estimates how long the range still takes, from the pace at which its runs have ended. ok is
// false if no run has ended yet, and if the range starts no dates because it is paused or stopped.
func (p RangeProgress) Left() (left time.Duration, ok bool) {
	if p.Pace.Each == 0 || p.Paused != "" || p.Stopped != "" {
		return 0, false
	}
	return p.Pace.Each * time.Duration(p.Total-p.Done()), true
}
