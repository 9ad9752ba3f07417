package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) whyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "why <table> <date>",
		Short: "Show the lineage of an answer",
		Long: "Why shows which run of a date rebuilt a table: the notebooks with the hashes of their sources, the Databricks runs and tries, and the\n" +
			"objects and offsets that were read. It reads the ledger and the manifests, which outlive Temporal's retention.",
		Example:           "  starter why users_joined_by_year 2022-10-18\n  starter why most_popular_category_by_year 2022-10-18 -o json",
		GroupID:           groupResults,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTables,
		RunE: func(c *cobra.Command, args []string) error {
			date, errDate := flags.Date(a.Now(), "date", args[1])
			if err := errors.Join(a.checkTable(args[0]), errDate); err != nil {
				return err
			}
			found, err := a.history.Lineage(c.Context(), args[0], date)
			if err != nil {
				return err
			}
			return a.print(c, found, func() { a.view.Lineage(found, a.form(c) == formWide) })
		},
	}
	return prints(c, formTable, formWide, formJSON)
}
