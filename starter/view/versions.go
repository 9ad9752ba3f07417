package view

import (
	"cmp"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/starter/builds"
	"github.com/pinflow/pinflow/starter/term"
)

// Versions prints the versions of the workers.
func (v *View) Versions(versions *builds.Versions) {
	v.Say("Deployment %s: %s\n", versions.Deployment, routing(versions))
	if len(versions.Versions) == 0 {
		v.Say("No worker has polled with Worker Versioning: set PINFLOW_WORKER_VERSIONING=on for the workers to use it.")
	} else {
		g := term.Table{Header: []string{"build id", "state", "open runs", "workers", "first seen (utc)", "may be removed"}, Right: []int{2, 3}}
		for _, one := range versions.Versions {
			removable := "no: " + one.Why
			if one.Removable {
				removable = v.Paint(text.FgGreen, "yes") + ": " + one.Why
			}
			g.Rows = append(g.Rows, []string{
				one.BuildID, v.versionState(one, versions), fmt.Sprint(one.OpenRuns), fmt.Sprint(len(one.Workers)), term.Moment(one.Created), removable,
			})
		}
		v.PrintTable(g)
	}
	if n := len(versions.Unversioned); n > 0 {
		v.Say("\nWithout Worker Versioning: %s", term.Count(int64(n), "worker"))
	}
	v.Say("\nWorkers are counted if they have polled within the last minute.")
}

func (v *View) versionState(one builds.Version, all *builds.Versions) string {
	switch one.State {
	case builds.Current:
		return v.Paint(text.FgGreen, string(one.State))
	case builds.Ramping:
		return v.Paint(text.FgCyan, fmt.Sprintf("%s %g %%", one.State, all.Percentage))
	}
	return string(one.State)
}

// routing says which builds start new runs.
func routing(v *builds.Versions) string {
	starts := "new runs start on " + cmp.Or(v.Current, "workers without Worker Versioning")
	if v.Ramping != "" {
		starts += fmt.Sprintf(", %g %% of them on %s", v.Percentage, v.Ramping)
	}
	return starts
}
