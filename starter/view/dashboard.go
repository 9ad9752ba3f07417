package view

import (
	"fmt"
	"net/url"

	"github.com/pinflow/pinflow/internal/dashboard"
)

// DashboardChange prints how the dashboard differs from that of the workspace, and where it is.
func (v *View) DashboardChange(change dashboard.Change, host string) {
	v.Say("%s  %s", change.State, change.Path)
	if change.ID != "" {
		if page, err := url.JoinPath(host, "dashboardsv3", change.ID, "published"); err == nil {
			v.Say("%s", page)
		}
	}
	if change.Diff != "" && change.State == dashboard.Changed {
		fmt.Fprintf(v.Out, "\n%s", v.PaintDiff(change.Diff))
	}
}
