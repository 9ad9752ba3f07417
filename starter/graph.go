package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// graphTask is a task of the DAG for programs. How it stands is there if a date was asked for.
type graphTask struct {
	ID    string    `json:"id"`
	After dag.Tasks `json:"after"`
	Rule  string    `json:"rule"`
	Pool  string    `json:"pool,omitempty"`
	Run   *run.Task `json:"run,omitempty"`
}

func (a *app) graphCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "graph [date]",
		Short: "Draw the DAG, with the states of a date's run: as text, or for Mermaid or Graphviz",
		Long: "Graph draws the DAG as it stands in this program. With a logical date each task shows how it stands in the date's latest run,\n" +
			"which may be going, or may be one that only the ledger knows.",
		Example: "  starter graph\n  starter graph 2022-10-18\n  starter graph 2022-10-18 -o dot | dot -Tsvg > dag.svg",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.graph(a.form(c), nil)
			}
			date, err := a.parseDate("date", args[0])
			if err != nil {
				return err
			}
			return a.graphOf(c, date)
		},
	}
	prints(c, "text", "mermaid", "dot", formJSON)
	c.Annotations[annotationNoSettings] = "true" // without a date; with one they are read then
	return c
}

// graphOf draws the DAG with the states of a date's latest run.
func (a *app) graphOf(c *cobra.Command, date dates.Date) error {
	settings, err := config.Load(a.envFiles...)
	if err != nil {
		return &usageError{err}
	}
	a.settings = settings
	run, lost, err := a.latestRun(c.Context(), date)
	if err != nil {
		return err
	}
	if err := a.graph(a.form(c), &run); err != nil {
		return err
	}
	return a.shown(lost)
}

// graph draws the DAG, with the states of a run if one is given.
func (a *app) graph(form string, r *dateRun) error {
	table, err := definitionOf(dailyName)
	if err != nil {
		return err
	}
	var state func(string) run.State
	var label func(string) string
	if r != nil {
		state = func(id string) run.State { return r.task(id).State }
		label = func(id string) string { return a.graphLabel(r.task(id)) }
	}
	switch form {
	case formJSON:
		return a.printJSON(graphForPrograms(table, r))
	case "mermaid":
		_, err = fmt.Fprint(a.stdout, table.Mermaid(state))
	case "dot":
		_, err = fmt.Fprint(a.stdout, table.Dot(state))
	default:
		if r != nil {
			a.sayTitle(r.Status)
			a.say("")
		}
		return a.graphText(table.Text(label), r)
	}
	return err
}

// graphText prints the DAG as a tree, and what its tasks wait for.
func (a *app) graphText(tree string, run *dateRun) error {
	for line := range strings.Lines(tree) {
		a.say("%s", a.wrapped(strings.TrimRight(line, "\n")))
	}
	if run == nil {
		return nil
	}
	for _, task := range run.Tasks {
		if task.Waiting != "" {
			a.say("%s", a.wrapped(task.ID+" waits for "+task.Waiting))
		}
	}
	return nil
}

// sayTitle prints a run in a line, and whether it is paused.
func (a *app) sayTitle(status run.Status) {
	a.say("%s", a.wrapped(a.runTitle(status)))
	if status.Paused != "" {
		a.say("%s", a.wrapped(pausedLine(status)))
	}
}

// wrapped breaks a line that is longer than the reader's screen is wide. In a pipe it stays a line.
func (a *app) wrapped(line string) string {
	if width, known := columns(a.stdout); known {
		return wrapLine(line, width)
	}
	return line
}

// graphForPrograms is the DAG as data.
func graphForPrograms(table dag.DAG, r *dateRun) any {
	tasks := make([]graphTask, len(table))
	for i, t := range table {
		tasks[i] = graphTask{ID: t.ID, After: append(dag.Tasks{}, t.After...), Rule: string(t.TriggerRule), Pool: t.Pool}
		if t.TriggerRule == "" {
			tasks[i].Rule = string(dag.AllSuccess)
		}
		if r != nil {
			status := r.task(t.ID)
			tasks[i].Run = &status
		}
	}
	drawn := struct {
		DAG   string      `json:"dag"`
		Date  dates.Date  `json:"date,omitempty"`
		State run.State   `json:"state,omitempty"`
		RunID string      `json:"runId,omitempty"`
		Tasks []graphTask `json:"tasks"`
	}{DAG: dailyName, Tasks: tasks}
	if r != nil {
		drawn.Date, drawn.State, drawn.RunID = r.Date, r.State, r.RunID
	}
	return drawn
}

// task is how a task stands; none if the run does not have it.
func (r dateRun) task(id string) run.Task {
	if i := slices.IndexFunc(r.Tasks, func(t run.Task) bool { return t.ID == id }); i >= 0 {
		return r.Tasks[i]
	}
	return run.Task{ID: id, State: run.None}
}

// graphLabel is how a task stands, in few words.
func (a *app) graphLabel(task run.Task) string {
	label := a.paintMark(taskMark(task)) + " " + a.paintState(task.State, string(task.State))
	if task.Carried {
		return label + ", carried over"
	}
	if task.Tries > 1 {
		label += fmt.Sprintf(", try %d", task.Tries)
	}
	if took := a.took(task.Started, task.Ended); took != "" {
		label += ", " + took
	}
	return label
}
