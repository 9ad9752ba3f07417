package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// maxRunning is how many runs that are going a dry run asks for: more than a range may keep going.
const maxRunning = 2 * run.MaxParallel

// dryRun prints what a backfill would decide about each date. It asks the same function as the real one, with the same ledger.
func (a *app) dryRun(c *cobra.Command, conn *temporal.Connection, in run.RangeInput) error {
	decisions, err := a.decisions(c.Context(), conn, in)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(decisions)
	}
	g := grid{header: []string{"date", "state", "decision", "why"}}
	runs := 0
	for _, d := range decisions {
		decision := "skip"
		if d.Run {
			decision = "run"
			runs++
		}
		g.rows = append(g.rows, []string{string(d.Date), a.paintState(d.State, string(d.State)), decision, d.Why})
	}
	a.printGrid(g)
	a.say("\n%d dates would run, %d would be skipped. Nothing has been started.", runs, len(decisions)-runs)
	return nil
}

// decisions are those about the dates of a range, in its order.
func (a *app) decisions(ctx context.Context, conn *temporal.Connection, in run.RangeInput) ([]ledger.Decision, error) {
	if _, err := workflows.DefaultCatalog.CompleteRange(in, a.now()); err != nil {
		return nil, &usageError{err}
	}
	entries, err := a.ledgerEntries(ctx, in.From, in.To)
	if err != nil {
		return nil, err
	}
	known := map[dates.Date]*ledger.Entry{}
	for i, entry := range entries {
		known[entry.Date] = &entries[i]
	}
	going, err := a.goingDates(ctx, conn)
	if err != nil {
		return nil, err
	}
	total := in.From.Days(in.To)
	decisions := make([]ledger.Decision, total)
	for i := range decisions {
		date := in.From.Add(i)
		if in.Backwards {
			date = in.To.Add(-i)
		}
		decisions[i] = ledger.Decide(date, known[date], in.Reprocess)
		if state, ok := going[date]; ok && decisions[i].Run {
			decisions[i].State, decisions[i].Why = run.State(state), fmt.Sprintf("is %s: that run is waited for", state)
		}
	}
	return decisions, nil
}

// goingDates are the dates with a run that is going, and its state.
func (a *app) goingDates(ctx context.Context, conn *temporal.Connection) (map[dates.Date]string, error) {
	query, errQuery := runsFilter{going: true}.query()
	rows, err := a.listRuns(ctx, conn, query, maxRunning)
	if err := errors.Join(errQuery, err); err != nil {
		return nil, err
	}
	going := map[dates.Date]string{}
	for _, row := range rows {
		going[row.Date] = row.State
	}
	return going, nil
}
