package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/setup"
)

func (a *app) setupCommand() *cobra.Command {
	var changeTopics bool
	c := &cobra.Command{
		Use:   "setup",
		Short: "Create topics, bucket, schema, notebooks and Schedules",
		Long: "Setup creates what is missing: topics, the bucket, search attributes, the schema, notebooks, and the Schedule of each DAG.\n" +
			"Running it again changes nothing that is right already. Topics that differ from the settings are shown, and changed only with --change-topics.",
		Args: cobra.NoArgs, GroupID: groupSystems,
		RunE: func(c *cobra.Command, _ []string) error {
			steps := []setup.Step{}
			todo := a.setup()
			todo.ChangeTopics = changeTopics
			err := todo.Run(c.Context(), func(step setup.Step) {
				steps = append(steps, step)
				if a.form(c) != formJSON {
					a.view.PrintStep(step)
				}
			})
			if err == nil && a.form(c) == formJSON {
				return a.JSON(steps)
			}
			return err
		},
	}
	c.Flags().BoolVar(&changeTopics, "change-topics", false, "change the settings of topics that differ, also a retention: a shorter one deletes records")
	return cli.Annotate(prints(c, formTable, formJSON), cli.AllDAGs, "true")
}
