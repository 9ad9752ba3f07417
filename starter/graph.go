package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/workflows"
)

// graphTask is a task of the DAG for programs.
type graphTask struct {
	ID    string          `json:"id"`
	After workflows.Tasks `json:"after"`
	Rule  string          `json:"rule"`
	Pool  string          `json:"pool,omitempty"`
}

func (a *app) graphCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "graph",
		Short:   "Draw the DAG: as text, or for Mermaid or Graphviz",
		Example: "  starter graph\n  starter graph -o dot | dot -Tsvg > dag.svg",
		GroupID: groupRuns,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.graph(a.form(c)) },
	}
	prints(c, "text", "mermaid", "dot", formJSON)
	c.Annotations[annotationNoSettings] = "true"
	return c
}

func (a *app) graph(form string) error {
	table, err := workflows.Lookup(dag)
	if err != nil {
		return err
	}
	switch form {
	case formJSON:
		tasks := make([]graphTask, len(table))
		for i, t := range table {
			tasks[i] = graphTask{ID: t.ID, After: append(workflows.Tasks{}, t.After...), Rule: string(t.When), Pool: t.Pool}
			if t.When == "" {
				tasks[i].Rule = string(workflows.AllSuccess)
			}
		}
		return a.printJSON(struct {
			DAG   string      `json:"dag"`
			Tasks []graphTask `json:"tasks"`
		}{dag, tasks})
	case "mermaid":
		_, err = fmt.Fprint(a.stdout, table.Mermaid(nil))
	case "dot":
		_, err = fmt.Fprint(a.stdout, table.Dot(nil))
	default:
		_, err = fmt.Fprint(a.stdout, table.Text(nil))
	}
	return err
}
