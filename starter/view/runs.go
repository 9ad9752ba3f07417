package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

// Runs prints runs as a table, with a column of tags if a run has some; wide adds the ids of the
// runs. Below it are the runs that are blocked, and why.
func (v *View) Runs(rows []history.RunRow, wide bool) {
	g := term.Table{Header: []string{"date", "state", "trigger", "partial", "started (utc)", "took", "tags", "run id"}, Right: []int{5}}
	for _, r := range rows {
		partial := ""
		if r.Partial {
			partial = "yes"
		}
		g.Rows = append(g.Rows, []string{
			string(r.Date), v.stateOf(r.State, r.Warned), string(r.Trigger), partial, term.Moment(r.Started), v.Took(r.Started, r.Ended),
			strings.Join(r.Tags, " "), r.RunID,
		})
	}
	if !slices.ContainsFunc(rows, func(r history.RunRow) bool { return len(r.Tags) > 0 }) {
		g.Leave("tags")
	}
	if !wide {
		g.Leave("run id")
		if last := len(g.Header) - 1; g.Header[last] == "tags" {
			v.FitTable(&g, last, term.Width(v.Out))
		}
	}
	v.PrintTable(g)
	var blocked []string
	for _, r := range rows {
		if r.Blocked != nil {
			blocked = append(blocked, fmt.Sprintf("%s is blocked: %s", r.Date, r.Blocked))
		}
	}
	v.sayBlocked(blocked)
	var unrecorded []string
	for _, r := range rows {
		if r.Unrecorded {
			unrecorded = append(unrecorded, string(r.Date))
		}
	}
	v.sayUnrecorded(unrecorded)
}

// sayBlocked prints why runs are blocked, a line for each, and what to do about them.
func (v *View) sayBlocked(lines []string) {
	const named = 5
	if len(lines) == 0 {
		return
	}
	v.Say("")
	for _, line := range lines[:min(len(lines), named)] {
		v.Say("%s", v.Wrapped(line))
	}
	if more := len(lines) - named; more > 0 {
		v.Say("and %d more: see `%s`", more, v.Command("runs --state blocked"))
	}
	v.Say("%s", v.Wrapped(fmt.Sprintf("Deploy workers of a build that can run it, or end it with `%s`.", v.Command("terminate <date> --reason text"))))
}

// sayUnrecorded prints which runs were ended from outside without a ledger entry, and what to do
// about them.
func (v *View) sayUnrecorded(dates []string) {
	if len(dates) == 0 {
		return
	}
	v.Say("\n%s", v.Wrapped(fmt.Sprintf("Ended from outside, and not in the ledger: %s. Their Databricks runs may continue: `%s` cancels them and writes the ledger entry.",
		term.Join(dates), v.Command("terminate <date> --reason text"))))
}

// unrecordedDates returns the dates of a span whose runs were ended from outside, and are not in the
// ledger.
func unrecordedDates(h *history.Span) []string {
	var all []string
	for _, r := range h.All() {
		if r.WayOut != "" && r.Blocked == nil {
			all = append(all, string(r.Date))
		}
	}
	return all
}

// blockedLines returns why runs of a span are blocked.
func blockedLines(h *history.Span) []string {
	var lines []string
	for _, r := range h.All() {
		if r.Blocked != nil {
			lines = append(lines, fmt.Sprintf("%s is blocked: %s", r.Date, r.Blocked))
		}
	}
	return lines
}
