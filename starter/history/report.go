package history

import (
	"context"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/internal/run"
)

// Report reads the report of one table, or of all that the tasks of the DAG rebuild if the name is
// empty.
func (r *Reader) Report(ctx context.Context, table string) (report.Report, error) {
	scope := report.ScopeOf(r.DAG, r.Settings.Deployment)
	if table != "" {
		scope = scope.Only(table)
	}
	ws, err := r.Systems.Workspace()
	if err != nil {
		return report.Report{}, err
	}
	entries, err := r.Entries(ctx, "0001-01-01", dates.Of(r.Now()))
	if err != nil {
		return report.Report{}, err
	}
	runs := make([]run.Status, len(entries))
	for i, entry := range entries {
		runs[i] = entry.Status
	}
	found, err := report.Read(ctx, report.Source{Warehouse: ws.Warehouse(r.Settings), Topics: r.Settings.Topics(), Runs: runs, Now: r.Now()}, scope)
	return found, databricks.Classify(err)
}
