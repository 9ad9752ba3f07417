package view

import (
	"slices"
	"strings"

	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

// RunsTable returns runs as a table, with a column of tags if a run has some.
func (v *View) RunsTable(rows []history.RunRow) term.Table {
	tagged := slices.ContainsFunc(rows, func(r history.RunRow) bool { return len(r.Tags) > 0 })
	g := term.Table{Header: []string{"date", "state", "trigger", "partial", "started (utc)", "took", "run id"}, Right: []int{5}}
	if tagged {
		g.Header = append(g.Header, "tags")
	}
	for _, r := range rows {
		partial := ""
		if r.Partial {
			partial = "yes"
		}
		row := []string{string(r.Date), v.stateOf(r.State, r.Warned), string(r.Trigger), partial, term.Moment(r.Started), v.Took(r.Started, r.Ended), r.RunID}
		if tagged {
			row = append(row, strings.Join(r.Tags, " "))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
