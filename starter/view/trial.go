package view

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/trial"
	"github.com/pinflow/pinflow/starter/term"
)

// Trial prints what a trial of a notebook left.
func (v *View) Trial(r trial.Result) {
	v.Say("%s for %s: %s, after %s to start", v.Paint(text.Bold, r.Notebook), r.Date, term.Duration(r.Took), term.Duration(r.Waited))
	v.Say("notebook %s, Databricks run %d %s", hashStart(r.Hash), r.JobRunID, r.Link)
	g := term.Table{Header: []string{"table", "rows"}, Right: []int{1}}
	for _, table := range r.Tables {
		g.Rows = append(g.Rows, []string{table.Table, fmt.Sprint(table.Rows)})
	}
	v.PrintTable(g)
	if len(r.Rejected) > 0 {
		v.Say("")
		g := term.Table{Header: []string{"quarantine", "reason", "records"}, Right: []int{2}}
		for _, rejected := range r.Rejected {
			g.Rows = append(g.Rows, []string{rejected.Table, rejected.Reason, fmt.Sprint(rejected.Records)})
		}
		v.PrintTable(g)
	}
	if r.Dry {
		v.Say("\n%s", v.Wrapped("Dry: the tables are as they were. The rows are of schema "+r.Schema+", which is dropped."))
	}
}
