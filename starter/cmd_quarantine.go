package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

func (a *app) quarantineCommand() *cobra.Command {
	examples := 0
	c := &cobra.Command{
		Use:   "quarantine <date> [topic]",
		Short: "Show the records of a date that cleaning rejected",
		Long: "Quarantine shows why cleaning rejected records of a date: the reasons, how many records each has, and examples with their\n" +
			"places (partition:offset, and the position in the array if the record was sent in one). It reads the quarantine tables on the SQL warehouse.",
		Example:           "  starter quarantine 2022-10-18\n  starter quarantine 2022-10-18 pin --examples 10\n  starter quarantine 2022-10-18 -o json",
		GroupID:           groupResults,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeCleaned,
		RunE: func(c *cobra.Command, args []string) error {
			date, errDate := flags.Date(a.Now(), "date", args[0])
			kinds, errTopic := a.cleanedKinds(args[1:])
			var errExamples error
			if examples < 0 {
				errExamples = exit.Usagef("--examples %d: want 0 or more", examples)
			}
			if err := errors.Join(errDate, errTopic, errExamples); err != nil {
				return err
			}
			return a.quarantine(c, date, kinds, examples)
		},
	}
	c.Flags().IntVarP(&examples, "examples", "n", 2, "`number` of examples for each reason")
	return prints(c, formTable, formJSON)
}

// completeCleaned completes the kinds of record that the DAG cleans, after the date.
func (a *app) completeCleaned(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	definition, err := a.chooseDAG()
	if err != nil || len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return definition.DAG.Cleaned(), cobra.ShellCompDirectiveNoFileComp
}

// cleanedKinds returns the kinds of record that the arguments name, by the kind or by the name of the
// topic: all that the DAG cleans if there is none.
func (a *app) cleanedKinds(args []string) ([]string, error) {
	kinds := a.dag.DAG.Cleaned()
	if len(kinds) == 0 {
		return nil, exit.Usagef("the tasks of %s clean no records: say which in their rows, as in Notebook{Cleans: …}", a.dag.Name)
	}
	if len(args) == 0 {
		return kinds, nil
	}
	if kind := strings.TrimPrefix(args[0], a.settings.Topic("")); slices.Contains(kinds, kind) {
		return []string{kind}, nil
	}
	return nil, exit.Usagef("no task of %s cleans %q; the topics are %s", a.dag.Name, args[0], term.Join(kinds))
}

func (a *app) quarantine(c *cobra.Command, date dates.Date, kinds []string, examples int) error {
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	found, err := ws.Warehouse(a.settings).Quarantine(c.Context(), date, kinds, a.settings.Topics(), examples)
	if err != nil {
		return databricks.Classify(err)
	}
	return a.print(c, struct {
		DAG    string                `json:"dag"`
		Date   dates.Date            `json:"date"`
		Topics []answers.Quarantined `json:"topics"`
	}{a.dag.Name, date, found}, func() { a.view.Quarantine(date, found) })
}
