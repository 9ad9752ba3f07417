package workflows

import (
	"errors"
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
	"github.com/pinflow/pinflow/workflows/markdown"
	"github.com/pinflow/pinflow/workflows/steps"
)

const (
	// ledgerChunk is how many ledger entries are read at once: brief entries of 50 dates are about
	// 20 KB of history.
	ledgerChunk = 50
	// maxFailedDates is how many failed dates a result names; the others are only counted.
	maxFailedDates = 100
)

// rangeRun is a running range. Its coroutines share it without locks.
type rangeRun struct {
	run.RangeProgress
	in      run.RangeInput
	changed bool
	stopNow bool // stopped with Now: runs that are about to start are cancelled, too

	ledger     []ledger.Entry // of the next dates
	ledgerTill int            // up to where, in the range's order, the ledger has been read
}

// Range runs a range of dates, Parallel at a time. A Schedule starts a range of one date, a
// backfill one of many. The runs are children that continue if the range ends or continues as new.
//
// A cancelled range starts no more dates and waits for its runs. StopUpdate can cancel them, too.
func (w Workflows) Range(ctx workflow.Context, in run.RangeInput) (run.RangeResult, error) {
	if date, ok := scheduledDate(ctx); ok && in.From == "" && in.To == "" {
		in.From, in.To = date, date
	}
	in, err := w.completeRange(ctx, in)
	if err != nil {
		return run.RangeResult{}, invalidInput(err)
	}
	r := newRange(ctx, in)
	if err := r.listen(ctx); err != nil {
		return run.RangeResult{}, err
	}
	background, _ := workflow.NewDisconnectedContext(ctx) // cancelling the range must not cancel its children
	for _, f := range r.Running {
		r.start(background, f, ledger.Decision{}) // carried: its run exists, so that there is nothing to decide
	}
	handled := func() bool { return workflow.AllHandlersFinished(ctx) } // an update must not be cut off
	mayContinue := func() bool { return historyIsLong(ctx) && r.allStarted() && handled() }
	for {
		if err := r.fill(background); err != nil {
			return run.RangeResult{}, err
		}
		switch {
		case len(r.Running) == 0 && (r.Next == r.Total || r.Stopped != ""):
			_ = workflow.Await(background, handled)
			return r.end(ctx)
		case mayContinue():
			in.Carried = &r.RangeProgress
			return run.RangeResult{}, workflow.NewContinueAsNewError(ctx, run.RangeWorkflow, in)
		}
		r.changed = false
		_ = workflow.Await(background, func() bool { return r.changed || mayContinue() || r.Stopped == "" && ctx.Err() != nil })
		if ctx.Err() != nil && r.Stopped == "" {
			r.Stopped = "cancelled"
		}
	}
}

// completeRange returns the input of the range with its defaults, or what is wrong with it. Both
// depend on the DAGs of the build, so that the history records them: see table.
func (w Workflows) completeRange(ctx workflow.Context, in run.RangeInput) (run.RangeInput, error) {
	if in.Carried != nil {
		return in, nil // completed before the range continued as new
	}
	type checked struct {
		In      run.RangeInput `json:"in"`
		Invalid string         `json:"invalid,omitempty"`
	}
	now := workflow.Now(ctx)
	var recorded checked
	options := workflow.SideEffectOptions{Summary: "the input with its defaults"}
	err := workflow.SideEffectWithOptions(ctx, options, func(workflow.Context) any {
		complete, err := w.Catalog.CompleteRange(in, now)
		if err != nil {
			return checked{Invalid: err.Error()}
		}
		return checked{In: complete}
	}).Get(&recorded)
	if err != nil {
		panic(fmt.Errorf("read the recorded input: %w", err)) // blocks the range until a build can read it
	}
	if recorded.Invalid != "" {
		return in, errors.New(recorded.Invalid)
	}
	return recorded.In, nil
}

func newRange(ctx workflow.Context, in run.RangeInput) *rangeRun {
	r := &rangeRun{in: in}
	if in.Carried != nil {
		r.RangeProgress = *in.Carried
	} else {
		r.RangeResult = run.RangeResult{From: in.From, To: in.To, Total: in.From.Days(in.To)}
		r.Parallel, r.Started = in.Parallel, workflow.Now(ctx)
		r.Pace = run.NewPace(r.Started, r.Parallel)
	}
	r.ledgerTill = r.Next
	return r
}

// historyIsLong reports whether the workflow should continue as new, in the view of the server,
// which counts events, bytes and updates.
func historyIsLong(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// fill starts dates until Parallel of them are running, or until the range should continue as new.
func (r *rangeRun) fill(ctx workflow.Context) error {
	for len(r.Running) < r.Parallel && r.Next < r.Total && r.Paused == "" && r.Stopped == "" && !historyIsLong(ctx) {
		entry, err := r.entry(ctx)
		if err != nil {
			return err
		}
		if r.Paused != "" || r.Stopped != "" || len(r.Running) >= r.Parallel {
			return nil // updated while the ledger was read
		}
		decision := ledger.Decide(r.date(r.Next), entry, r.in.Reprocess)
		r.Next++
		if !decision.Run {
			r.Skipped++
			continue
		}
		f := &run.InFlight{Date: decision.Date, Asked: workflow.Now(ctx)}
		r.Running = append(r.Running, f)
		r.start(ctx, f, decision)
	}
	r.show(ctx)
	return nil
}

// date returns the date at an index of the range's order.
func (r *rangeRun) date(index int) dates.Date {
	if r.in.Backwards {
		return r.in.To.Add(-index)
	}
	return r.in.From.Add(index)
}

// entry returns the ledger entry of the next date, or nil if there is none. It reads the ledger in
// chunks.
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
	ctx = steps.WithPolicy(ctx, steps.LedgerPolicy, fmt.Sprintf("read the ledger from %s to %s", from, to))
	err := workflow.ExecuteActivity(ctx, steps.ReadLedger, in).Get(ctx, &answer)
	return answer.Entries, err
}

// allStarted reports whether the run of each date in flight exists. A range that continued as new
// before would lose such a run, or start it twice.
func (r *rangeRun) allStarted() bool {
	return !slices.ContainsFunc(r.Running, func(f *run.InFlight) bool { return !f.Settled() })
}

// end returns the result. The range fails if a date failed, was cancelled or was left out.
func (r *rangeRun) end(ctx workflow.Context) (run.RangeResult, error) {
	r.show(ctx)
	switch {
	case ctx.Err() != nil && r.Done() < r.Total:
		return r.RangeResult, temporal.NewCanceledError(r.RangeResult)
	case r.Good():
		return r.RangeResult, nil
	}
	var reasons []string
	if r.Failed > 0 {
		reasons = append(reasons, fmt.Sprintf("%d of %d dates failed (%s): %s", r.Failed, r.Total, r.failedDates(), r.FirstError))
	}
	if r.Cancelled > 0 {
		reasons = append(reasons, fmt.Sprintf("%d of %d dates were cancelled", r.Cancelled, r.Total))
	}
	if r.Stopped != "" {
		reasons = append(reasons, fmt.Sprintf("%d dates did not run: %s", r.Total-r.Done(), r.Stopped))
	}
	message := strings.Join(reasons, "; ")
	return r.RangeResult, temporal.NewNonRetryableApplicationError(message, failure.RangeFailed, nil, r.RangeResult)
}

// failedDates returns the first failed dates as text.
func (r *rangeRun) failedDates() string {
	const shown = 10
	names := make([]string, 0, shown+1)
	for i, date := range r.FailedDates {
		if i == shown {
			names = append(names, "…")
			break
		}
		names = append(names, string(date))
	}
	return strings.Join(names, ", ")
}

// show puts the counts on the range's page in the Web UI. It adds no event to the history.
func (r *rangeRun) show(ctx workflow.Context) { workflow.SetCurrentDetails(ctx, r.page()) }

func (r *rangeRun) page() string {
	var running []string
	for _, f := range r.Running {
		running = append(running, markdown.Escape(string(f.Date)))
	}
	text := fmt.Sprintf("**%s from %s to %s**: %d of %d dates done\n\n", markdown.Escape(r.in.DAG),
		markdown.Escape(string(r.in.From)), markdown.Escape(string(r.in.To)), r.Done(), r.Total)
	text += markdown.Head("success", "failed", "cancelled", "skipped", "running")
	text += markdown.Row(fmt.Sprint(r.Success), fmt.Sprint(r.Failed), fmt.Sprint(r.Cancelled), fmt.Sprint(r.Skipped),
		strings.Join(running, ", "))
	if r.Paused != "" {
		text += "\npaused: " + markdown.Escape(r.Paused) + "\n"
	}
	if r.Stopped != "" {
		text += "\nstopped: " + markdown.Escape(r.Stopped) + "\n"
	}
	if r.FirstError != "" {
		text += "\nfirst error: " + markdown.Escape(failure.Cut(strings.Join(strings.Fields(r.FirstError), " "), 200)) + "\n"
	}
	return text
}
