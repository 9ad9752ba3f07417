package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	// ledgerChunk is how many dates' ledger entries are read at once: their brief entries are some 20 KB of history.
	ledgerChunk = 50
	// maxNamed is how many failed dates a result names; beyond that it counts.
	maxNamed = 100
)

// dateRange is one range at work. Its coroutines share it without locks.
type rangeRun struct {
	run.RangeProgress
	in      run.RangeInput
	changed bool
	stopNow bool // stopped with Now: a run that is just being started is cancelled, too

	ledger     []ledger.Entry // of the dates next to be decided about
	ledgerTill int            // how many dates, in the range's order, the ledger has been read for
}

// Range runs a range of dates: always as many at a time as it may, never more. A Schedule starts a range of one date; a backfill is one
// of many. Its runs are children that are left alone when the range ends or continues as new.
//
// Cancelling it starts no more dates and waits for those that run. StopUpdate can cancel those, too.
func (w Workflows) Range(ctx workflow.Context, in run.RangeInput) (run.RangeResult, error) {
	if date, ok := scheduledDate(ctx); ok && in.From == "" && in.To == "" {
		in.From, in.To = date, date
	}
	in, err := w.Catalog.CompleteRange(in, workflow.Now(ctx))
	if err != nil {
		return run.RangeResult{}, invalidInput(err)
	}
	r := newRange(ctx, in)
	if err := r.listen(ctx); err != nil {
		return run.RangeResult{}, err
	}
	patient, _ := workflow.NewDisconnectedContext(ctx) // never cancelled: that would cancel the children
	for _, f := range r.Running {
		r.follow(patient, f, ledger.Decision{}) // its run is there: nothing to decide
	}
	handled := func() bool { return workflow.AllHandlersFinished(ctx) } // an order that is being carried out must not be cut off
	ready := func() bool { return historyIsLong(ctx) && r.allStarted() && handled() }
	for {
		if err := r.fill(patient); err != nil {
			return run.RangeResult{}, err
		}
		switch {
		case len(r.Running) == 0 && (r.Next == r.Total || r.Stopped != ""):
			_ = workflow.Await(patient, handled)
			return r.end(ctx)
		case ready():
			in.Carried = &r.RangeProgress
			return run.RangeResult{}, workflow.NewContinueAsNewError(ctx, run.RangeWorkflow, in)
		}
		r.changed = false
		_ = workflow.Await(patient, func() bool { return r.changed || ready() || r.Stopped == "" && ctx.Err() != nil })
		if ctx.Err() != nil && r.Stopped == "" {
			r.Stopped = "cancelled"
		}
	}
}

func newRange(ctx workflow.Context, in run.RangeInput) *rangeRun {
	r := &rangeRun{in: in}
	if in.Carried != nil {
		r.RangeProgress = *in.Carried
	} else {
		r.RangeResult = run.RangeResult{From: in.From, To: in.To, Total: in.From.Days(in.To)}
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
func (r *rangeRun) fill(ctx workflow.Context) error {
	for len(r.Running) < r.Parallel && r.Next < r.Total && r.Paused == "" && r.Stopped == "" && !historyIsLong(ctx) {
		entry, err := r.entry(ctx)
		if err != nil {
			return err
		}
		if r.Paused != "" || r.Stopped != "" || len(r.Running) >= r.Parallel {
			return nil // an order came while the ledger was read
		}
		decision := ledger.Decide(r.date(r.Next), entry, r.in.Reprocess)
		r.Next++
		if !decision.Run {
			r.Skipped++
			continue
		}
		f := &run.InFlight{Date: decision.Date, Asked: workflow.Now(ctx)}
		r.Running = append(r.Running, f)
		r.follow(ctx, f, decision)
	}
	r.show(ctx)
	return nil
}

// date is the date at a place in the range's order.
func (r *rangeRun) date(place int) dates.Date {
	if r.in.Backwards {
		return r.in.To.Add(-place)
	}
	return r.in.From.Add(place)
}

// entry is the ledger entry of the next date, nil if there is none. Entries are read in chunks.
func (r *rangeRun) entry(ctx workflow.Context) (*ledger.Entry, error) {
	if r.Next >= r.ledgerTill {
		count := min(ledgerChunk, r.Total-r.Next)
		from, to := r.date(r.Next), r.date(r.Next+count-1)
		var err error
		if r.ledger, err = r.read(ctx, min(from, to), max(from, to)); err != nil {
			return nil, err
		}
		r.ledgerTill = r.Next + count
	}
	return ledger.Find(r.ledger, r.date(r.Next)), nil
}

func (r *rangeRun) read(ctx workflow.Context, from, to dates.Date) ([]ledger.Entry, error) {
	var answer activities.LedgerEntries
	in := ledger.Query{DAG: r.in.DAG, From: from, To: to, Brief: true}
	err := workflow.ExecuteActivity(withPolicy(ctx, ledgerPolicy, fmt.Sprintf("ledger from %s to %s", from, to)), readLedger, in).Get(ctx, &answer)
	return answer.Entries, err
}

// settled says that every run in flight is there: a range that continued before would lose or double one.
func (r *rangeRun) allStarted() bool {
	return !slices.ContainsFunc(r.Running, func(f *run.InFlight) bool { return !f.Settled() })
}

// end makes the verdict: a range fails if a date failed or was not run.
func (r *rangeRun) end(ctx workflow.Context) (run.RangeResult, error) {
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
	return r.RangeResult, temporal.NewNonRetryableApplicationError(strings.Join(said, "; "), failure.RangeFailed, nil, r.RangeResult)
}

// named lists the failed dates for a message.
func (r *rangeRun) named() string {
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
func (r *rangeRun) show(ctx workflow.Context) {
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
