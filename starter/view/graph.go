package view

import (
	"fmt"
	"strings"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// graphTask is a task of the DAG in the JSON output, with its state if there is a run.
type graphTask struct {
	ID          string          `json:"id"`
	After       dag.Tasks       `json:"after"`
	TriggerRule dag.TriggerRule `json:"triggerRule"`
	Pool        string          `json:"pool,omitempty"`
	Run         *run.Task       `json:"run,omitempty"`
}

// Graph draws the DAG, with the states of a run unless that is nil.
func (v *View) Graph(form string, r *history.Run) error {
	var state func(string) run.State
	var label func(string) string
	if r != nil && !r.TasksUnknown {
		state = func(id string) run.State { return r.Task(id).State }
		label = func(id string) string { return v.graphLabel(r.Task(id)) }
	}
	switch form {
	case "json":
		return v.JSON(v.graphData(r))
	case "mermaid":
		_, err := fmt.Fprint(v.Out, v.DAG.DAG.Mermaid(state))
		return err
	case "dot":
		_, err := fmt.Fprint(v.Out, v.DAG.DAG.Dot(state))
		return err
	}
	if r != nil {
		v.runHead(*r)
		v.Say("")
	}
	tree := v.DAG.DAG.Text(label)
	if v.DAG.DAG.TreeWidth()+labelWidth > term.Width(v.Out) {
		tree = v.DAG.DAG.List(label)
	}
	v.graphText(tree, r)
	return nil
}

// labelWidth is how wide the state of a task is, as in "upstream_failed, try 2".
const labelWidth = 25

// graphText prints the DAG as a tree, and what its tasks wait for.
func (v *View) graphText(tree string, run *history.Run) {
	for line := range strings.Lines(tree) {
		line = strings.TrimRight(line, "\n")
		const more = 4 // beyond the branches before the task
		v.Say("%s", v.Hanging(line, len([]rune(line))-len([]rune(strings.TrimLeft(line, "│├└─ ")))+more))
	}
	if run == nil {
		return
	}
	for _, task := range run.Tasks {
		if task.Waiting != "" {
			v.Say("%s", v.Wrapped(task.ID+" waits for "+task.Waiting))
		}
	}
}

// graphData returns the DAG for the JSON output.
func (v *View) graphData(r *history.Run) any {
	tasks := make([]graphTask, len(v.DAG.DAG))
	for i, t := range v.DAG.DAG {
		tasks[i] = graphTask{ID: t.ID, After: append(dag.Tasks{}, t.After...), TriggerRule: t.TriggerRule.Name(), Pool: t.Pool}
		if r != nil {
			status := r.Task(t.ID)
			tasks[i].Run = &status
		}
	}
	drawn := struct {
		DAG   string      `json:"dag"`
		Date  dates.Date  `json:"date,omitempty"`
		State run.State   `json:"state,omitempty"`
		RunID string      `json:"runId,omitempty"`
		Tasks []graphTask `json:"tasks"`
	}{DAG: v.DAG.Name, Tasks: tasks}
	if r != nil {
		drawn.Date, drawn.State, drawn.RunID = r.Date, r.State, r.RunID
	}
	return drawn
}

// graphLabel returns the state of a task in a few words.
func (v *View) graphLabel(task run.Task) string {
	label := mark.Paint(v.Term, mark.OfTask(task)) + " " + mark.Color(v.Term, task.State, string(task.State))
	if task.Carried {
		return label + ", kept from an earlier run"
	}
	if task.Tries > 1 {
		label += fmt.Sprintf(", try %d", task.Tries)
	}
	if took := v.Took(task.Started, task.Ended); took != "" {
		label += ", " + took
	}
	return label
}
