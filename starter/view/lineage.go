package view

import (
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

// Lineage prints the origin of a table.
func (v *View) Lineage(l history.Lineage, wide bool) {
	width := term.Width(v.Out)
	if wide {
		width = term.Unlimited
	}
	title := fmt.Sprintf("%s of %s", v.Paint(text.Bold, l.Answer), v.Paint(text.Bold, string(l.Date)))
	if l.Rows != nil {
		title += ": " + term.Count(*l.Rows, "row")
	}
	if l.Partial {
		title += ", partial"
	}
	v.Say("%s\n%s", v.Wrapped(title), v.Wrapped(fmt.Sprintf("rebuilt by run %s of %s (%s)", l.RunID, l.WorkflowID, l.Trigger)))
	g := term.Table{Header: []string{"task", "try", "databricks run", "ended (utc)", "notebook", "sha256", "rows", "quarantined"}, Right: []int{1, 2, 6, 7}, Optional: []int{4, 2, 5, 3, 7}}
	tasks := append(slices.Clone(l.From), l.Made)
	for _, task := range tasks {
		try := term.Number(int64(task.Tries))
		if task.Carried {
			try += " (earlier run)"
		}
		g.Rows = append(g.Rows, []string{
			task.ID, try, term.Number(task.JobRunID), term.Moment(task.Ended), task.Notebook, hashStart(task.NotebookHash), records(task), term.Number(task.Quarantined),
		})
	}
	shrunk := g.Shrink(width)
	v.PrintTable(g)
	v.printTogether(tasks)
	for _, manifest := range l.Landed {
		v.Say("\n%s: %d records landed, %d objects", v.Paint(text.Bold, manifest.Topic), manifest.Records, objectCount(manifest))
		g := term.Table{Header: []string{"partition", "offsets", "records", "sha256", "object"}, Right: []int{0, 2}, Optional: []int{3}}
		for _, p := range manifest.Partitions {
			for _, object := range p.Objects {
				g.Rows = append(g.Rows, []string{fmt.Sprint(p.Partition), offsets(object), term.Number(object.Records), hashStart(object.SHA256), object.Key})
			}
		}
		shrunk = g.Shrink(width) || shrunk
		shrunk = g.CutMiddle(len(g.Header)-1, width) || shrunk
		v.PrintTable(g)
	}
	if shrunk {
		v.Say("\n%s", v.Wrapped(fmt.Sprintf("All columns: `%s`", v.Command(fmt.Sprintf("why %s %s -o wide", l.Answer, l.Date)))))
	}
	if n := len(l.Earlier); n > 0 {
		v.Say("\n%s", v.Wrapped(fmt.Sprintf("The tables also had the rows of %d other dates, %s to %s: the rows of a date remain.", n, l.Earlier[0], l.Earlier[n-1])))
	}
	if l.RebuiltBy != "" {
		v.Say("\n%s", v.Wrapped(fmt.Sprintf("The table has since been rebuilt by the run of %s: `%s`.", l.RebuiltBy, v.Command(fmt.Sprintf("why %s %s", l.Answer, l.RebuiltBy)))))
	}
}

func objectCount(m landing.Manifest) int {
	n := 0
	for _, p := range m.Partitions {
		n += len(p.Objects)
	}
	return n
}

func offsets(o landing.Object) string {
	if o.Empty {
		return "none"
	}
	return fmt.Sprintf("[%d, %d)", o.Start, o.End)
}

// hashStart returns the start of a hash, enough to distinguish it.
func hashStart(hash string) string { return hash[:min(shortHash, len(hash))] }
