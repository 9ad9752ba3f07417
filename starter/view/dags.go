package view

import (
	"cmp"
	"strings"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// DAGCheck holds the mistakes in one DAG.
type DAGCheck struct {
	DAG      string   `json:"dag"`
	Tasks    int      `json:"tasks"`
	Mistakes []string `json:"mistakes"`
}

// DAGChecks prints the mistakes in DAGs.
func (v *View) DAGChecks(checks []DAGCheck) {
	for _, check := range checks {
		if len(check.Mistakes) == 0 {
			v.Say("%s  %s, %d tasks", mark.Color(v.Term, run.Success, "ok  "), check.DAG, check.Tasks)
		}
		for _, mistake := range check.Mistakes {
			v.Say("%s  %s: %s", mark.Color(v.Term, run.Failed, "FAIL"), check.DAG, mistake)
		}
	}
}

// DAGRow is a DAG in the list of DAGs.
type DAGRow struct {
	DAG        string   `json:"dag"`
	Tasks      []string `json:"tasks"`
	Schedule   string   `json:"schedule,omitempty"`
	Hold       bool     `json:"hold"`
	RunTimeout string   `json:"runTimeout,omitempty"`
	Deadline   string   `json:"deadline,omitempty"`
}

// NewDAGRow returns the row of a DAG whose schedule is the given cron expression.
func NewDAGRow(d dag.Definition, cron string) DAGRow {
	row := DAGRow{DAG: d.Name, Tasks: d.DAG.IDs(), Schedule: cron, Hold: d.Hold}
	if d.RunTimeout > 0 {
		row.RunTimeout = term.Duration(d.RunTimeout)
	}
	if d.Deadline > 0 {
		row.Deadline = term.Duration(d.Deadline)
	}
	return row
}

// DAGs prints the list of DAGs.
func (v *View) DAGs(rows []DAGRow) {
	g := term.Table{Header: []string{"dag", "tasks", "schedule", "deadline", "run timeout", "on failure"}}
	for _, r := range rows {
		failure := "fail"
		if r.Hold {
			failure = "hold"
		}
		g.Rows = append(g.Rows, []string{r.DAG, strings.Join(r.Tasks, ", "), cmp.Or(r.Schedule, "none"), cmp.Or(r.Deadline, "none"), cmp.Or(r.RunTimeout, "none"), failure})
	}
	v.PrintTable(g)
}
