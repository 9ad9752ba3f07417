package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/config"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "version",
		Short:       "Print the version of the build",
		GroupID:     groupSystems,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{annotationForms: "table json", annotationNoSettings: "true"},
		RunE: func(c *cobra.Command, _ []string) error {
			build := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{config.Version, runtime.Version()}
			if a.form(c) == formJSON {
				return a.printJSON(build)
			}
			_, err := fmt.Fprintf(a.stdout, "starter %s (%s)\n", build.Version, build.Go)
			return err
		},
	}
}
