package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/notebooks"
)

func (a *app) notebooksCommand() *cobra.Command {
	push := &cobra.Command{
		Use:   "push",
		Short: "Bring this build's notebooks into the workspace",
		Long:  "Push writes the notebooks of this build (`make build` takes in what you have changed) that are new or changed into the workspace folder PINFLOW_NOTEBOOKS. Pushing again changes nothing.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.pushNotebooks(c) },
	}
	diff := &cobra.Command{
		Use:   "diff",
		Short: "Show how the workspace's notebooks differ from this build's",
		Long:  "Diff shows, for each notebook, whether it is new, changed or the same, and the changes that `push` would make. The exit code is 1 if there are any.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.diffNotebooks(c) },
	}
	return group("notebooks", "Bring the notebooks into the workspace, or compare them", groupSystems,
		prints(push, formTable, formJSON), prints(diff, formTable, formJSON))
}

func (a *app) pushNotebooks(c *cobra.Command) error {
	ws, err := a.connect.workspace()
	if err != nil {
		return err
	}
	changes, err := notebookpush.Push(c.Context(), ws.notebooks, a.settings.Notebooks, notebooks.All())
	if err != nil {
		return ws.databricksError(err)
	}
	if a.form(c) == formJSON {
		return a.printJSON(changes)
	}
	a.printChanges(changes)
	return nil
}

func (a *app) diffNotebooks(c *cobra.Command) error {
	ws, err := a.connect.workspace()
	if err != nil {
		return err
	}
	changes, err := notebookpush.Compare(c.Context(), ws.notebooks, a.settings.Notebooks, notebooks.All())
	if err != nil {
		return ws.databricksError(err)
	}
	if a.form(c) == formJSON {
		err = a.printJSON(changes)
	} else {
		a.printChanges(changes)
		for _, change := range changes {
			if change.Diff != "" {
				fmt.Fprintf(a.stdout, "\n%s", a.paintDiff(change.Diff))
			}
		}
	}
	if err == nil && differing(changes) > 0 {
		return errShown{exitFailed}
	}
	return err
}

// differing counts the notebooks that are not the same.
func differing(changes []notebookpush.Change) int {
	n := 0
	for _, change := range changes {
		if change.State != notebookpush.Same {
			n++
		}
	}
	return n
}

func (a *app) printChanges(changes []notebookpush.Change) {
	colours := map[notebookpush.State]text.Color{notebookpush.New: text.FgGreen, notebookpush.Changed: text.FgYellow, notebookpush.Same: text.FgHiBlack}
	g := grid{header: []string{"notebook", "state", "path", "sha256"}}
	for _, change := range changes {
		g.rows = append(g.rows, []string{change.Name, a.paint(colours[change.State], string(change.State)), change.Path, change.Hash[:12]})
	}
	a.printGrid(g)
}
