package view

import (
	"fmt"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// Termination prints what a termination did, and what it left.
func (v *View) Termination(t control.Termination) {
	switch {
	case t.Terminated:
		v.Say("The run of %s is terminated.", t.Date)
	case t.State == "" && len(t.JobRuns) == 0 && len(t.Left) == 0:
		v.Say("The run of %s was terminated before, the ledger has it, and it has left no Databricks runs: nothing was changed.", t.Date)
	default:
		v.Say("The run of %s had ended before.", t.Date)
	}
	for _, job := range t.JobRuns {
		if job.Ended {
			v.Say("%s", v.Wrapped(fmt.Sprintf("Cancelled: Databricks run %s", job)))
		}
	}
	if t.State != "" {
		line := fmt.Sprintf("Ledger: %s", mark.Color(v.Term, t.State, string(t.State)))
		if t.Error != "" {
			line += ", " + term.FirstLine(t.Error, maxLine)
		}
		v.Say("%s", v.Wrapped(line))
		if !t.TasksKnown {
			v.Say("%s", v.Wrapped("The run did not answer: the entry has the tries in its history. Tasks whose end it does not tell are cancelled."))
		}
	}
	for _, line := range t.Left {
		v.Say("%s", v.Wrapped(line))
	}
	if t.State != "" && t.State != run.Success {
		v.Say("Run the tasks that are missing with `%s`", v.Command(fmt.Sprintf("rerun %s --failed", t.Date)))
	}
}
