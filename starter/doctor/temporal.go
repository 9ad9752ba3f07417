package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/setup"
	"github.com/pinflow/pinflow/starter/term"
)

const (
	// datesChecked is how many days back dates are checked, as many as the worker raises alarms
	// about.
	datesChecked = 7
	// datesNamed is how many dates a finding names.
	datesNamed = 3
)

func (d *Doctor) temporal(ctx context.Context) []Finding {
	conn, err := d.Systems.Temporal(ctx)
	if err != nil {
		return examine("Temporal", check{"server", func() (string, error) { return "", err }})
	}
	defer conn.Close()
	checks := []check{
		{"namespace", func() (string, error) { return namespace(ctx, conn) }},
		{"search attributes", func() (string, error) { return attributes(ctx, conn) }},
	}
	if len(d.DAGs) > 0 {
		checks = append(checks,
			check{"worker", func() (string, error) { return d.DAGs[0].Builds().CheckWorker(ctx, conn) }},
			check{"build", func() (string, error) { return build(ctx, conn, d.DAGs[0], d.BuildID) }},
			check{"versions", func() (string, error) { return versions(ctx, conn, d.DAGs[0]) }},
		)
	}
	for _, r := range d.DAGs {
		checks = append(checks,
			check{"schedule", func() (string, error) { return scheduleOf(ctx, conn, r) }},
			check{"blocked runs", func() (string, error) { return blockedOf(ctx, conn, r) }},
			check{"dates", func() (string, error) { return datesOf(ctx, conn, r) }},
		)
	}
	return examine("Temporal", checks...)
}

func namespace(ctx context.Context, conn *temporal.Connection) (string, error) {
	answer, err := conn.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: conn.Namespace})
	if err != nil {
		return "", conn.Classify(err)
	}
	retention := answer.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	return fmt.Sprintf("%s at %s, retention %d days", conn.Namespace, conn.Address, int(retention/(24*time.Hour))), nil
}

func attributes(ctx context.Context, conn *temporal.Connection) (string, error) {
	missing, err := setup.MissingAttributes(ctx, conn)
	if err != nil {
		return "", err
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%d are missing: run `starter setup`", len(missing))
	}
	return fmt.Sprintf("all %d exist", len(search.Attributes())), nil
}

func scheduleOf(ctx context.Context, conn *temporal.Connection, r *history.Reader) (string, error) {
	description, err := r.ScheduleHandle(ctx, conn).Describe(ctx)
	unset := r.ScheduleSpec().Cron == ""
	switch {
	case unset && errors.As(err, new(*serviceerror.NotFound)):
		return fmt.Sprintf("%s has no schedule", r.DAG.Name), nil
	case err != nil:
		return "", r.ScheduleError(conn, err)
	case unset:
		return "", fmt.Errorf("%s has a Schedule, but neither its definition nor PINFLOW_SCHEDULES has one: set it there, or delete it with `%s`",
			r.DAG.Name, r.Command("schedule delete"))
	}
	view, err := r.ViewSchedule(description)
	switch {
	case err != nil:
		return "", err
	case len(view.Behind) > 0:
		return "", fmt.Errorf("%s differs from the settings and this build: run `%s`", view.ID, r.Command("schedule apply"))
	case view.Paused:
		return fmt.Sprintf("%s is paused (%s); `%s` resumes it", view.ID, view.Note, r.Command("schedule resume")), nil
	case len(view.Next) == 0:
		return "", fmt.Errorf("%s has no next firing: run `%s`", view.ID, r.Command("schedule apply"))
	}
	return fmt.Sprintf("%s fires next at %s UTC", view.ID, term.Moment(view.Next[0])), nil
}

// blockedOf finds the open runs and backfills whose workflow task keeps failing. It needs no worker.
func blockedOf(ctx context.Context, conn *temporal.Connection, r *history.Reader) (string, error) {
	all, err := r.BlockedWorkflows(ctx, conn)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return r.DAG.Name + ": none", nil
	}
	var lines []string
	for _, b := range all[:min(len(all), datesNamed)] {
		lines = append(lines, fmt.Sprintf("%s is blocked: %s. %s", b.WorkflowID, b.Blocked, b.WayOut))
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, see `%s`", more, r.Command("runs --state blocked")))
	}
	return "", errors.New(strings.Join(lines, "; "))
}

// datesOf finds dates that are overdue, have failed, were cancelled or were seen in part. It needs no
// worker.
func datesOf(ctx context.Context, conn *temporal.Connection, r *history.Reader) (string, error) {
	since := r.Yesterday().Add(1 - datesChecked)
	found, err := r.FindGaps(ctx, conn, since)
	if err != nil {
		return "", err
	}
	var lines []string
	more := 0
	for _, g := range found.Gaps() {
		switch {
		case !g.Overdue && g.State != history.GapFailed && g.State != history.GapCancelled && g.State != history.GapPartial:
		case len(lines) == datesNamed:
			more++
		default:
			lines = append(lines, inOneLine(g))
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, see `%s`", more, r.Command(fmt.Sprintf("status --days %d", datesChecked))))
	}
	if len(lines) > 0 {
		return "", errors.New(r.DAG.Name + ": " + strings.Join(lines, "; "))
	}
	detail := fmt.Sprintf("%s: no overdue, failed, cancelled or partial dates since %s", r.DAG.Name, since)
	if found.Expected.After(since) {
		detail += "; " + found.Expected.String()
	}
	return detail, nil
}

// inOneLine describes a gap, with the command that closes it.
func inOneLine(g history.Gap) string {
	state := string(g.State)
	if g.Overdue && g.State != history.GapOverdue {
		state += ", overdue"
	}
	return fmt.Sprintf("%s %s (%s): `%s`", g.Date, state, term.FirstLine(g.Cause, 60), g.Command)
}
