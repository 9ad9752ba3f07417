package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// settle completes the status of a run that closed without recording its end.
func (r *Reader) settle(status run.Status, found search.Run) Run {
	if found.Ended.IsZero() || status.State.Final() {
		return Run{Status: status}
	}
	status.State, status.Error = settled(found)
	status.Ended = found.Ended
	return Run{Status: status, WayOut: r.wayOutOfClosed(found)}
}

// wayOutOfClosed says what to do about a run that was ended from outside and that the ledger does
// not have. It is empty for others.
func (r *Reader) wayOutOfClosed(found search.Run) string {
	if !found.EndedOutside() {
		return ""
	}
	return fmt.Sprintf("Its Databricks runs may continue, and the ledger does not have it: `%s` cancels them and writes its entry.",
		r.Command(fmt.Sprintf("terminate %s --reason text", found.Date)))
}

// MarkUnrecorded marks the rows that were ended from outside, without a later run of their date and
// without a ledger entry.
func (r *Reader) MarkUnrecorded(ctx context.Context, conn *temporal.Connection, rows []RunRow) error {
	var errs []error
	for i := range rows {
		row := &rows[i]
		if !row.EndedOutside() || row.Date == "" {
			continue
		}
		description, err := conn.DescribeWorkflowExecution(ctx, row.WorkflowID, "")
		if err != nil {
			errs = append(errs, conn.Classify(err))
			continue
		}
		latest := description.GetWorkflowExecutionInfo().GetExecution().GetRunId() == row.RunID
		if !latest {
			continue
		}
		entry, err := r.Entry(ctx, row.Date)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		row.Unrecorded = entry == nil || entry.RunID != row.RunID
	}
	return errors.Join(errs...)
}
