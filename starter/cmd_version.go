package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/starter/cli"
)

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version of the build", GroupID: groupSystems, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			build := struct {
				Version string `json:"version"`
				BuildID string `json:"buildId"`
				Go      string `json:"go"`
			}{config.Version, a.buildID, runtime.Version()}
			return a.print(c, build, func() { a.Say("starter %s (%s)", build.BuildID, build.Go) })
		},
	}
	return cli.Annotate(cli.Annotate(prints(c, formTable, formJSON), cli.NoSettings, "true"), cli.AllDAGs, "true")
}
