package view

import (
	"encoding/json"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/starter/history"
)

// PrintJob prints the state and the output of a Databricks run.
func (v *View) PrintJob(p *LogPrinter, l history.JobLog) error {
	if p.raw {
		encoder := json.NewEncoder(v.Out) // one line, like those of the workers
		encoder.SetEscapeHTML(false)
		return encoder.Encode(l)
	}
	title := fmt.Sprintf("\n%s", v.Paint(text.Bold, fmt.Sprintf("%s try %d: Databricks run %d", l.Task, l.Try, l.JobRunID)))
	if l.State != "" {
		title += ": " + v.paintResult(l.State)
	}
	if !l.Started.IsZero() {
		title += ", " + v.Took(l.Started, l.Ended)
	}
	v.Say("%s", title)
	if l.Link != "" {
		v.Say("%s", l.Link)
	}
	for _, line := range []string{l.Message, l.Problem} {
		if line != "" {
			v.Say("%s", p.wrap(line, 0))
		}
	}
	for _, task := range l.Tasks {
		v.printJobTask(p, task)
	}
	return nil
}

func (v *View) printJobTask(p *LogPrinter, task history.JobTaskLog) {
	if task.Problem != "" {
		v.Say("%s", p.wrap(task.TaskKey+": "+task.Problem, 0))
	}
	for _, part := range []struct{ name, text string }{{"error", task.Error}, {"trace", task.Trace}, {"output", task.Output}} {
		if part.text != "" {
			v.Say("%s:\n%s", part.name, p.block(part.text, 2))
		}
	}
	if task.Truncated {
		v.Say("(Databricks kept only the start of the output)")
	}
}
