package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the main job on an embedded stack",
		Long: "Demo starts the embedded stack, the worker and the gateway, sets everything up, posts a day of posts through the gateway, runs a DAG\n" +
			"for today (the first of this build unless --dag says otherwise), and shows the DAG and its answers. It runs until Ctrl-C;\n" +
			"other commands work meanwhile, from any directory.\n\n" +
			"The state remains in the data directory. A second demo there continues with it, and posts only what is missing.",
		GroupID: groupSystems,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.dagName == "" && len(a.catalog.DAGs) > 0 {
				a.dagName = a.catalog.DAGs[0].Name
			}
			var err error
			if o.DAG, err = a.chooseDAG(); err != nil {
				return err
			}
			o.Catalog = a.catalog
			return demo.Run(c.Context(), a.Term, a.systems, a.operator, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Data, "data", ".local", "`directory` of the state")
	f.StringVar(&o.PostsDir, "posts", "", "`directory` with pin.jsonl, geo.jsonl and user.jsonl to post (default built-in posts)")
	f.StringVar(&o.Out, "out", "", "`directory` for answers.json")
	f.IntVar(&o.PortOffset, "port-offset", 0, "`number` that is added to each default port")
	f.BoolVar(&o.Exit, "exit", false, "end after the answers; exit code 1 if the run failed")
	return cli.Annotate(cli.Annotate(c, cli.NoSettings, "true"), cli.AllDAGs, cli.OrOne)
}
