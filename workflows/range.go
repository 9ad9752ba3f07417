package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

const (
	// ErrorRangeFailed is the type of the error of a range in which dates failed. Its details are the RangeResult.
	ErrorRangeFailed = "RangeFailed"
	// ledgerChunk is how many dates' ledger entries are read at once: their brief entries are some 20 KB of history.
	ledgerChunk = 50
	// maxNamed is how many failed dates a result names; beyond that it counts.
	maxNamed = 100
)

// InFlight is a date of a range that runs.
type InFlight struct {
	Date dates.Date `json:"date"`
	// Asked is when the range asked for its run.
	Asked time.Time `json:"asked"`
	// RunID is that of the run which the range started; empty while it is being started.
	RunID string `json:"runId,omitempty"`
	// Attached says that somebody else's run of the date was going: the range waits for it.
	Attached bool `json:"attached,omitempty"`
}

// settled says that the run is there, so that the range may continue as new without losing or doubling it.
func (f *InFlight) settled() bool { return f.RunID != "" || f.Attached }

// RangeResult counts how the dates of a range ended.
type RangeResult struct {
	From  dates.Date `json:"from"`
	To    dates.Date `json:"to"`
	Total int        `json:"total"`
	// Success, Failed and Skipped add up to the dates that are done. Attached counts those of the first two whose run was somebody else's.
	Success  int `json:"success"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	Attached int `json:"attached"`
	// FailedDates are the failed dates, the first hundred.
	FailedDates []dates.Date `json:"failedDates,omitempty"`
	// FirstError is the message of the first failure.
	FirstError string `json:"firstError,omitempty"`
	// Stopped says why dates were not run that should have been.
	Stopped string `json:"stopped,omitempty"`
}

// Done is how many dates are done.
func (r RangeResult) Done() int { return r.Success + r.Failed + r.Skipped }

// RangeProgress is the answer to ProgressQuery.
type RangeProgress struct {
	RangeResult
	Parallel int         `json:"parallel"`
	Started  time.Time   `json:"started"`
	Running  []*InFlight `json:"running,omitempty"`
	// Paused says who paused the range and why; empty if it is not paused.
	Paused string `json:"paused,omitempty"`
	// Next is how many dates, in the range's order, have been decided about.
	Next int `json:"next"`
	// Ran and Took are how many runs ended, and how long they took together.
	Ran  int           `json:"ran"`
	Took time.Duration `json:"took"`
}

// Left estimates how long the range still needs at its present width, from the runs that ended. ok is false while there is nothing to go by,
// and while the range starts no dates: it is paused, or has stopped.
func (p RangeProgress) Left() (left time.Duration, ok bool) {
	if p.Ran == 0 || p.Parallel == 0 || p.Paused != "" || p.Stopped != "" {
		return 0, false
	}
	each := p.Took / time.Duration(p.Ran)
	return each * time.Duration(p.Total-p.Done()) / time.Duration(p.Parallel), true
}

// dateRange is one range at work. Its coroutines share it without locks.
type dateRange struct {
	RangeProgress
	in      RangeInput
	changed bool
	now     bool // stopped with Now: a run that is just being started is cancelled, too

	ledger     []activities.LedgerEntry // of the dates next to be decided about
	ledgerTill int                      // how many dates, in the range's order, the ledger has been read for
}

// Range runs a range of dates: always as many at a time as it may, never more. A Schedule starts a range of one date; a backfill is one
// of many. Its runs are children that are left alone when the range ends or continues as new.
//
// Cancelling it starts no more dates and waits for those that run. StopUpdate can cancel those, too.
func (w Workflows) Range(ctx workflow.Context, in RangeInput) (RangeResult, error) {
	if date, ok := scheduledDate(ctx); ok && in.From == "" && in.To == "" {
		in.From, in.To = date, date
	}
	if err := w.Catalog.checkRange(&in, workflow.Now(ctx)); err != nil {
		return RangeResult{}, wrongInput(err)
	}
	r := newRange(ctx, in)
	if err := r.listen(ctx); err != nil {
		return RangeResult{}, err
	}
	patient, _ := workflow.NewDisconnectedContext(ctx) // never cancelled: that would cancel the children
	for _, f := range r.Running {
		r.follow(patient, f, DateDecision{}) // its run is there: nothing to decide
	}
	handled := func() bool { return workflow.AllHandlersFinished(ctx) } // an order that is being carried out must not be cut off
	ready := func() bool { return historyIsLong(ctx) && r.settled() && handled() }
	for {
		if err := r.fill(patient); err != nil {
			return RangeResult{}, err
		}
		switch {
		case len(r.Running) == 0 && (r.Next == r.Total || r.Stopped != ""):
			_ = workflow.Await(patient, handled)
			return r.end(ctx)
		case ready():
			in.Carried = &r.RangeProgress
			return RangeResult{}, workflow.NewContinueAsNewError(ctx, RangeWorkflow, in)
		}
		r.changed = false
		_ = workflow.Await(patient, func() bool { return r.changed || ready() || r.Stopped == "" && ctx.Err() != nil })
		if ctx.Err() != nil && r.Stopped == "" {
			r.Stopped = "cancelled"
		}
	}
}

func newRange(ctx workflow.Context, in RangeInput) *dateRange {
	r := &dateRange{in: in}
	if in.Carried != nil {
		r.RangeProgress = *in.Carried
	} else {
		r.RangeResult = RangeResult{From: in.From, To: in.To, Total: in.From.Days(in.To)}
		r.Parallel, r.Started = in.Parallel, workflow.Now(ctx)
	}
	r.ledgerTill = r.Next
	return r
}

// historyIsLong says that the workflow should continue as new: Temporal counts its events, bytes and updates.
func historyIsLong(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// fill starts dates until the window is full, or until the range is to continue as new.
func (r *dateRange) fill(ctx workflow.Context) error {
	for len(r.Running) < r.Parallel && r.Next < r.Total && r.Paused == "" && r.Stopped == "" && !historyIsLong(ctx) {
		entry, err := r.entry(ctx)
		if err != nil {
			return err
		}
		if r.Paused != "" || r.Stopped != "" || len(r.Running) >= r.Parallel {
			return nil // an order came while the ledger was read
		}
		decision := Decide(r.date(r.Next), entry, r.in.Reprocess)
		r.Next++
		if !decision.Run {
			r.Skipped++
			continue
		}
		f := &InFlight{Date: decision.Date, Asked: workflow.Now(ctx)}
		r.Running = append(r.Running, f)
		r.follow(ctx, f, decision)
	}
	r.show(ctx)
	return nil
}

// date is the date at a place in the range's order.
func (r *dateRange) date(place int) dates.Date {
	if r.in.Backwards {
		return r.in.To.Add(-place)
	}
	return r.in.From.Add(place)
}

// entry is the ledger entry of the next date, nil if there is none. Entries are read in chunks.
func (r *dateRange) entry(ctx workflow.Context) (*activities.LedgerEntry, error) {
	if r.Next >= r.ledgerTill {
		count := min(ledgerChunk, r.Total-r.Next)
		from, to := r.date(r.Next), r.date(r.Next+count-1)
		var err error
		if r.ledger, err = r.read(ctx, min(from, to), max(from, to)); err != nil {
			return nil, err
		}
		r.ledgerTill = r.Next + count
	}
	return find(r.ledger, r.date(r.Next)), nil
}

func (r *dateRange) read(ctx workflow.Context, from, to dates.Date) ([]activities.LedgerEntry, error) {
	var answer activities.LedgerEntries
	in := activities.ReadLedgerInput{DAG: r.in.DAG, From: from, To: to, Brief: true}
	err := workflow.ExecuteActivity(under(ctx, ledgerPolicy, fmt.Sprintf("ledger from %s to %s", from, to)), readLedger, in).Get(ctx, &answer)
	return answer.Entries, err
}

func find(entries []activities.LedgerEntry, date dates.Date) *activities.LedgerEntry {
	if i := slices.IndexFunc(entries, func(e activities.LedgerEntry) bool { return e.Date == date }); i >= 0 {
		return &entries[i]
	}
	return nil
}

// settled says that every run in flight is there: a range that continued before would lose or double one.
func (r *dateRange) settled() bool {
	return !slices.ContainsFunc(r.Running, func(f *InFlight) bool { return !f.settled() })
}

// end makes the verdict: a range fails if a date failed or was not run.
func (r *dateRange) end(ctx workflow.Context) (RangeResult, error) {
	r.show(ctx)
	switch {
	case ctx.Err() != nil && r.Done() < r.Total:
		return r.RangeResult, temporal.NewCanceledError(r.RangeResult)
	case r.Failed == 0 && r.Stopped == "":
		return r.RangeResult, nil
	}
	var said []string
	if r.Failed > 0 {
		said = append(said, fmt.Sprintf("%d of %d dates failed (%s): %s", r.Failed, r.Total, r.named(), r.FirstError))
	}
	if r.Stopped != "" {
		said = append(said, fmt.Sprintf("%d dates were not run: %s", r.Total-r.Done(), r.Stopped))
	}
	return r.RangeResult, temporal.NewNonRetryableApplicationError(strings.Join(said, "; "), ErrorRangeFailed, nil, r.RangeResult)
}

// named lists the failed dates for a message.
func (r *dateRange) named() string {
	names := make([]string, 0, 11)
	for i, date := range r.FailedDates {
		if i == 10 {
			names = append(names, "…")
			break
		}
		names = append(names, string(date))
	}
	return strings.Join(names, ", ")
}

// show puts the counts on the range's page in the Web UI. It costs no event.
func (r *dateRange) show(ctx workflow.Context) {
	var going []string
	for _, f := range r.Running {
		going = append(going, string(f.Date))
	}
	text := fmt.Sprintf("**%s from %s to %s**: %d of %d dates done\n\n| success | failed | skipped | running |\n|---|---|---|---|\n| %d | %d | %d | %s |\n",
		r.in.DAG, r.in.From, r.in.To, r.Done(), r.Total, r.Success, r.Failed, r.Skipped, strings.Join(going, ", "))
	if r.Paused != "" {
		text += "\npaused: " + r.Paused + "\n"
	}
	if r.Stopped != "" {
		text += "\nstopped: " + r.Stopped + "\n"
	}
	workflow.SetCurrentDetails(ctx, text)
}
