package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
)

func (a *app) notebooksCommand() *cobra.Command {
	var from string
	push := &cobra.Command{
		Use:   "push",
		Short: "Push the notebooks to the workspace",
		Long: "Push writes the notebooks that are new or changed into the workspace folder PINFLOW_NOTEBOOKS. Pushing again changes nothing.\n\n" +
			"The notebooks are those of this build. With --from they are those of a directory: a fix of the SQL needs no build.",
		Example: "  starter notebooks push\n  starter notebooks push --from ./notebooks",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.pushNotebooks(c, from) },
	}
	diff := &cobra.Command{
		Use:   "diff",
		Short: "Compare the notebooks with those of the workspace",
		Long: "Diff shows for each notebook whether it is new, changed or the same, and what `push` would change. Notebooks that are only in the\n" +
			"workspace are extra: `push` leaves them there. The exit code is 1 if `push` would change something.",
		Example: "  starter notebooks diff\n  starter notebooks diff --from ./notebooks",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.diffNotebooks(c, from) },
	}
	for _, c := range []*cobra.Command{push, diff} {
		c.Flags().StringVar(&from, "from", "", "`directory` of the notebooks, *.sql (default those of this build)")
		prints(c, formTable, formJSON)
	}
	return cli.Annotate(cli.Group("notebooks", "Push notebooks to the workspace, compare or try them", groupSystems, push, diff, a.tryNotebookCommand()), cli.AllDAGs, "true")
}

// openNotebooks returns the notebooks in a directory, or those of this build.
func (a *app) openNotebooks(from string) ([]notebooks.Notebook, error) {
	if from == "" {
		return a.notebooks, nil
	}
	all, err := notebooks.Open(from)
	if err != nil {
		return nil, exit.Usagef("--from: %w", err)
	}
	return all, nil
}

func (a *app) pushNotebooks(c *cobra.Command, from string) error {
	all, err := a.openNotebooks(from)
	if err != nil {
		return err
	}
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	changes, err := notebookpush.Push(c.Context(), ws.Notebooks, a.settings.Notebooks, all)
	if err != nil {
		return databricks.Classify(err)
	}
	return a.print(c, changes, func() { a.view.NotebookChanges(changes) })
}

func (a *app) diffNotebooks(c *cobra.Command, from string) error {
	all, err := a.openNotebooks(from)
	if err != nil {
		return err
	}
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	changes, err := notebookpush.Compare(c.Context(), ws.Notebooks, a.settings.Notebooks, all)
	if err != nil {
		return databricks.Classify(err)
	}
	extra, err := notebookpush.FindExtra(c.Context(), ws.Notebooks, a.settings.Notebooks, all)
	if err != nil {
		return databricks.Classify(err)
	}
	changes = append(changes, extra...)
	if err := a.print(c, changes, func() {
		a.view.NotebookChanges(changes)
		for _, change := range changes {
			if change.Diff != "" {
				fmt.Fprintf(a.Out, "\n%s", a.PaintDiff(change.Diff))
			}
		}
	}); err != nil {
		return err
	}
	if notebookpush.Differing(changes) > 0 {
		return exit.Shown(exit.Failed)
	}
	return nil
}
