package report

import (
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// Origin is the task that rebuilt tables, and its run.
type Origin struct {
	Tables []string
	// Date is the logical date of the run. Partial reports whether it saw the date before it was
	// over; Until is up to when.
	Date       dates.Date
	Partial    bool
	Until      time.Time
	WorkflowID string
	RunID      string
	Trigger    run.Trigger
	Params     map[string]string
	// Task is the task that rebuilt them.
	Task run.Task
}

// Maker is a task that rebuilds tables.
type Maker struct {
	Task   string   `json:"task"`
	Tables []string `json:"tables"`
}

// Origins returns what has rebuilt these tables last, of these runs: one for each maker that has
// succeeded in one of them. A result that a rerun kept is that of the run that made it.
func Origins(runs []run.Status, makers []Maker) []Origin {
	var all []Origin
	for _, maker := range makers {
		var latest *Origin
		for _, status := range runs {
			task := status.Task(maker.Task)
			if task.State != run.Success || task.Ended.IsZero() || latest != nil && !task.Ended.After(latest.Task.Ended) {
				continue
			}
			latest = &Origin{
				Tables: slices.Clone(maker.Tables), Date: status.Date, Partial: status.Partial, Until: status.Until,
				WorkflowID: status.WorkflowID, RunID: status.RunID, Trigger: status.Trigger, Params: status.Params, Task: task,
			}
		}
		if latest != nil {
			all = append(all, *latest)
		}
	}
	return all
}

// Latest returns the origin of the tables that were rebuilt last, or nil if none is known.
func (r Report) Latest() *Origin {
	var latest *Origin
	for i, origin := range r.Origins {
		if latest == nil || origin.Task.Ended.After(latest.Task.Ended) {
			latest = &r.Origins[i]
		}
	}
	return latest
}
