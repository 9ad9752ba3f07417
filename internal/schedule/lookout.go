package schedule

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// Lookout finds overdue dates. It needs no worker, so that the absence of workers can be noticed.
type Lookout struct {
	Temporal   Temporal
	Namespace  string
	Deployment run.Deployment
	Ledger     *ledger.Ledger
}

// Report is what a Lookout found.
type Report struct {
	// Expected is which dates should have run.
	Expected
	// Paused is why the Schedule is paused; empty if it is not paused.
	Paused string
	// Overdue holds the overdue dates, in their order.
	Overdue []OverdueDate
}

// Overdue finds the overdue dates of a DAG among those that are expected and whose Schedule fires
// after since. The definition is as the settings override it.
func (l Lookout) Overdue(ctx context.Context, definition dag.Definition, since, now time.Time) (Report, error) {
	first, last := LogicalDate(since), LogicalDate(now)
	entries, err := l.Ledger.Entries(ctx, ledger.Query{DAG: definition.Name, From: first, To: last, Brief: true})
	if err != nil {
		return Report{}, err
	}
	expected, err := l.Expect(ctx, ExpectInput{Definition: definition, Entries: entries, Since: since, Now: now})
	report := Report{Expected: expected}
	if err != nil {
		return report, err
	}
	if s := expected.Schedule; s != nil && s.Schedule.State != nil && s.Schedule.State.Paused {
		report.Paused = cmp.Or(s.Schedule.State.Note, "no reason given")
	}
	if len(expected.Firings) == 0 {
		return report, nil
	}
	all := expected.Dates()
	running, err := l.running(ctx, definition.Name, all[0], all[len(all)-1])
	if err != nil {
		return report, err
	}
	report.Overdue = Overdue(definition, all, entries, running, now)
	return report, nil
}

// running returns the states of the open runs of those dates.
func (l Lookout) running(ctx context.Context, dag string, first, last dates.Date) (map[dates.Date]run.State, error) {
	open, err := search.Runs(ctx, l.Temporal, l.Namespace, search.Filter{Deployment: l.Deployment, DAG: dag, Open: true, From: first, To: last}, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("list the running dates: %w", err)
	}
	states := map[dates.Date]run.State{}
	for _, r := range open {
		states[r.Date] = r.State
	}
	return states, nil
}
