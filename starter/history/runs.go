package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// maxRunning is how many running dates a dry run asks for: more than a range may run at a time.
const maxRunning = 2 * run.MaxParallel

// RunRow is a run with its page in the Web UI.
type RunRow struct {
	search.Run
	// Blocked is why the run is blocked; nil if it is not.
	Blocked *Blocked `json:"blocked,omitempty"`
	// Unrecorded reports whether the run was ended from outside and the ledger does not have it. Only
	// MarkUnrecorded sets it.
	Unrecorded bool   `json:"unrecorded,omitempty"`
	UI         string `json:"ui"`
}

// Runs returns the runs that the filter selects among those that Temporal knows, the latest started
// first, at most so many. The filter's deployment and DAG are those of the reader.
func (r *Reader) Runs(ctx context.Context, conn *temporal.Connection, filter search.Filter, limit int) ([]RunRow, error) {
	filter.Deployment, filter.DAG = r.Settings.Deployment, r.DAG.Name
	listed := limit
	if filter.State == run.Blocked { // the open ones are listed, most of which are not blocked
		listed = maxRunning
	}
	found, err := search.Runs(ctx, conn, conn.Namespace, filter, listed)
	if err != nil {
		return nil, conn.Classify(err)
	}
	rows := make([]RunRow, len(found))
	for i, f := range found {
		rows[i] = RunRow{Run: f, UI: r.UILink(conn, f.WorkflowID, f.RunID)}
	}
	if err := r.markBlocked(ctx, conn, rows); err != nil {
		return nil, err
	}
	if filter.State != "" { // visibility has another state of a run that is blocked
		rows = slices.DeleteFunc(rows, func(row RunRow) bool { return (row.State == run.Blocked) != (filter.State == run.Blocked) })
	}
	return rows[:min(limit, len(rows))], nil
}

// RunningDates returns the dates with an open run, and the state of the run.
func (r *Reader) RunningDates(ctx context.Context, conn *temporal.Connection) (map[dates.Date]run.State, error) {
	rows, err := r.Runs(ctx, conn, search.Filter{Open: true}, maxRunning)
	if err != nil {
		return nil, err
	}
	running := map[dates.Date]run.State{}
	for _, row := range rows {
		running[row.Date] = row.State
	}
	return running, nil
}

// settled returns the state of a run that visibility knows, and why it has failed if the run could
// not record that itself: it was terminated or timed out.
func settled(found search.Run) (state run.State, why string) {
	switch {
	case found.Ended.IsZero(), found.State == run.Success, found.State == run.Failed, found.State == run.Cancelled:
		return found.State, ""
	}
	return run.Failed, fmt.Sprintf("the run was ended from outside: %s", found.State)
}
