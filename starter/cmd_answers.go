package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/term"
)

func (a *app) answersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "answers [table]",
		Short: "Show the answers, or one of them",
		Long: "Answers shows the tables that the tasks of the DAG rebuild, or one of them.\n\n" +
			"-o json without a table prints one document: the number of rows of the cleaned tables, rejected records by kind and reason, and all answers.\n\n" +
			"-o html prints a page for readers: tables, charts, the run that rebuilt them, and how much was quarantined. It needs no network.",
		Example:           "  starter answers\n  starter answers users_joined_by_year -o csv\n  starter answers -o html > answers.html",
		GroupID:           groupResults,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeTables,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 1:
				if err := a.checkTable(args[0]); err != nil {
					return err
				}
				if a.form(c) == formHTML {
					return a.reportAnswers(c, args[0])
				}
				return a.answer(c, args[0])
			case len(a.dag.DAG.Tables()) == 0:
				return a.checkTable("")
			case a.form(c) == formCSV:
				return exit.Usagef("-o csv prints one table: name it, as in `%s`", a.history.Command("answers "+a.dag.DAG.Tables()[0]+" -o csv"))
			case a.form(c) == formJSON:
				return a.exportAnswers(c)
			case a.form(c) == formHTML:
				return a.reportAnswers(c, "")
			}
			return a.allAnswers(c)
		},
	}
	return prints(c, formTable, formJSON, formCSV, formHTML)
}

// completeTables completes the tables that the DAG rebuilds.
func (a *app) completeTables(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	definition, err := a.chooseDAG()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return definition.DAG.Tables(), cobra.ShellCompDirectiveNoFileComp
}

// checkTable returns an error for a table that no task of the DAG rebuilds.
func (a *app) checkTable(name string) error {
	tables := a.dag.DAG.Tables()
	switch {
	case slices.Contains(tables, name):
		return nil
	case len(tables) == 0:
		return exit.Usagef("the tasks of %s rebuild no tables: say which in their rows, as in Notebook{Rebuilds: …}", a.dag.Name)
	}
	return exit.Usagef("no task of %s rebuilds %q; the tables are %s", a.dag.Name, name, term.Join(tables))
}

// answer prints one table.
func (a *app) answer(c *cobra.Command, name string) error {
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	answer, err := ws.Warehouse(a.settings).Fetch(c.Context(), answers.Tables([]string{name})[0])
	if err != nil {
		return databricks.Classify(err)
	}
	if a.form(c) == formCSV {
		return a.view.PrintCSV(answer)
	}
	return a.print(c, struct {
		Name    string   `json:"name"`
		Columns []string `json:"columns"`
		Rows    [][]any  `json:"rows"`
	}{answer.Name, answer.ColumnNames(), answer.Rows}, func() { a.view.PrintAnswer(answer) })
}

// reportAnswers prints all tables, or one of them, as a page.
func (a *app) reportAnswers(c *cobra.Command, table string) error {
	page, err := a.history.Report(c.Context(), table)
	if err != nil {
		return err
	}
	return page.WriteHTML(a.Out)
}

// exportAnswers prints all tables and counts as one document.
func (a *app) exportAnswers(c *cobra.Command) error {
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	export, err := ws.Warehouse(a.settings).Export(c.Context(), answers.Tables(a.dag.DAG.Tables()), a.dag.DAG.Cleaned())
	if err != nil {
		return databricks.Classify(err)
	}
	return a.JSON(export)
}

// allAnswers prints all tables.
func (a *app) allAnswers(c *cobra.Command) error {
	tables := answers.Tables(a.dag.DAG.Tables())
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	all, err := ws.Warehouse(a.settings).FetchAll(c.Context(), tables)
	if err != nil {
		return databricks.Classify(err)
	}
	a.view.PrintAnswers(all)
	return nil
}
