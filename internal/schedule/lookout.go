package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// Lookout finds overdue dates. It needs no worker, so that the absence of workers can be noticed.
type Lookout struct {
	Temporal  Temporal
	Namespace string
	Ledger    *ledger.Ledger
}

// Report is what a Lookout found.
type Report struct {
	// Scheduled reports whether the DAG has a Schedule; without one no date is expected.
	Scheduled bool
	// Paused is why the Schedule is paused; empty if it is not paused.
	Paused string
	// Overdue holds the overdue dates, in their order.
	Overdue []OverdueDate
}

// Overdue finds the overdue dates of a DAG among those for which its Schedule fired after since.
// Dates before the creation of the Schedule are not expected. Dates for which it was paused are: a
// pause stops runs from starting, but their results are still due.
func (l Lookout) Overdue(ctx context.Context, definition dag.Definition, since, now time.Time) (Report, error) {
	description, err := l.Temporal.ScheduleClient().GetHandle(ctx, run.ScheduleID(definition.Name)).Describe(ctx)
	if errors.As(err, new(*serviceerror.NotFound)) {
		return Report{}, nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("describe Schedule %s: %w", run.ScheduleID(definition.Name), err)
	}
	report := Report{Scheduled: true}
	if state := description.Schedule.State; state != nil && state.Paused {
		report.Paused = cmp.Or(state.Note, "no reason given")
	}
	firings, err := Past(ctx, l.Temporal, l.Namespace, definition.Name, description.Info, since, now)
	if err != nil || len(firings) == 0 {
		return report, err
	}
	expected := make([]dates.Date, len(firings))
	for i, firing := range firings {
		expected[i] = firing.Date
	}
	first, last := expected[0], expected[len(expected)-1]
	entries, err := l.Ledger.Entries(ctx, ledger.Query{DAG: definition.Name, From: first, To: last, Brief: true})
	if err != nil {
		return report, err
	}
	running, err := l.running(ctx, definition.Name, first, last)
	if err != nil {
		return report, err
	}
	report.Overdue = Overdue(definition, expected, entries, running, now)
	return report, nil
}

// running returns the states of the open runs of those dates.
func (l Lookout) running(ctx context.Context, dag string, first, last dates.Date) (map[dates.Date]run.State, error) {
	open, err := search.Runs(ctx, l.Temporal, l.Namespace, search.Filter{DAG: dag, Open: true, From: first, To: last}, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("list the running dates: %w", err)
	}
	states := map[dates.Date]run.State{}
	for _, r := range open {
		states[r.Date] = r.State
	}
	return states, nil
}
