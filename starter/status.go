package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	var days int
	c := &cobra.Command{
		Use:   "status [date]",
		Short: "Show how the DAG stands, or the run of a date: its tasks, their states, times and links",
		Long: "Status without a date shows the Schedule, the gaps (dates that are over and have no good result, with the cause and the command that mends it), " +
			"what runs or is held, backfills with their progress, and pools. The exit code is 0, whatever is shown.\n\n" +
			"With a date it shows the latest run of that logical date, from the run itself or, if Temporal has forgotten it, from the ledger. " +
			"The exit code is 1 if the run has failed, or if there is none.",
		Example: "  starter status\n  starter status --days 90 -o json\n  starter status 2022-10-18\n  starter status 2022-10-18 --watch",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && watch:
				return usagef("--watch follows the run of a date: which date? Name it as YYYY-MM-DD, for example `starter status %s --watch`", a.yesterday())
			case len(args) == 0:
				return a.overviewCommand(c, days)
			case c.Flags().Changed("days"):
				return usagef("--days is about the gaps of `starter status` without a date")
			}
			date, err := a.parseDate("date", args[0])
			if err != nil {
				return err
			}
			return a.status(c, date, watch)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "follow the run until it has ended")
	c.Flags().IntVar(&days, "days", overviewDays, "without a date: how many `days` back gaps are looked for")
	return prints(c, formTable, formJSON)
}

func (a *app) status(c *cobra.Command, date dates.Date, watch bool) error {
	ctx := c.Context()
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	status, err := a.runStatus(ctx, conn, date)
	if watch && (err == nil && status.Ended.IsZero() || errors.As(err, new(*noWorkerError))) {
		run := conn.GetWorkflow(ctx, run.WorkflowID(dailyName, date), status.RunID)
		status, err = a.watchRun(ctx, conn, run, date, a.newRunView())
	}
	if err != nil {
		return err
	}
	return a.showEnd(c, conn, status)
}

// trouble is an activity of a run that has failed and is tried again.
type trouble struct {
	Activity string `json:"activity"`
	Attempt  int32  `json:"attempt"`
	Error    string `json:"error"`
}

// troubles are the activities of an open run that do not get through: what an operator has to mend while the run waits.
func retries(ctx context.Context, conn *temporal.Connection, status run.Status) ([]trouble, error) {
	if status.State.Final() {
		return nil, nil
	}
	description, err := conn.DescribeWorkflowExecution(ctx, status.WorkflowID, status.RunID)
	if err != nil {
		return nil, conn.Classify(err)
	}
	if description.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, nil
	}
	var all []trouble
	for _, pending := range description.GetPendingActivities() {
		if failure := pending.GetLastFailure(); failure != nil {
			all = append(all, trouble{pending.GetActivityType().GetName(), pending.GetAttempt(), failure.GetMessage()})
		}
	}
	return all, nil
}

// showStatus prints a run.
func (a *app) showStatus(c *cobra.Command, conn *temporal.Connection, status run.Status) error {
	link := a.uiLink(conn, status.WorkflowID, status.RunID)
	retried, err := retries(c.Context(), conn, status)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(struct {
			run.Status
			Troubles []trouble     `json:"troubles,omitempty"`
			Notes    []ledger.Note `json:"notes,omitempty"`
			UI       string        `json:"ui"`
		}{status, retried, a.notesOrNone(c.Context(), status.Date), link})
	}
	a.printRun(status)
	if notes := a.notesOrNone(c.Context(), status.Date); len(notes) > 0 {
		a.say("\nNotes:")
		a.printNotes(notes)
	}
	for _, t := range retried {
		a.say("\n%s is tried again (attempt %d): %s", t.Activity, t.Attempt, t.Error)
	}
	a.say("\nWeb UI: %s", link)
	return nil
}

// printRun prints a run's head, its tasks as a table, and their errors.
func (a *app) printRun(status run.Status) {
	a.say("%s", a.runTitle(status))
	if status.Paused != "" {
		a.say("paused by %s: `starter resume %s` lets it go on", status.Paused, status.Date)
	}
	g := grid{header: []string{"task", "state", "tries", "started (utc)", "took", "records", "link"}, right: []int{2, 4, 5}}
	for _, task := range status.Tasks {
		g.rows = append(g.rows, []string{
			task.ID, a.paintState(task.State, string(task.State)), number(int64(task.Tries)), moment(task.Started), a.took(task.Started, task.Ended),
			number(task.Rows), task.Link,
		})
	}
	a.printGrid(g)
	a.printRemarks(status)
	for _, task := range status.Tasks {
		if task.Error == "" {
			continue
		}
		tried := ""
		if task.Tries > 0 {
			tried = fmt.Sprintf(" after %d tries", task.Tries)
		}
		a.say("\n%s %s%s:\n%s", task.ID, a.paintState(task.State, string(task.State)), tried, indent(task.Error))
		if task.State == run.Held {
			a.say("Decide with `starter task retry|skip|fail|succeed %s %s --reason text`.", status.Date, task.ID)
		}
	}
	if status.Error != "" && !told(status) {
		a.say("\n%s", status.Error)
	}
}

// printRemarks prints what there is to say about single tasks beside their errors, a line each.
func (a *app) printRemarks(status run.Status) {
	for _, task := range status.Tasks {
		var remarks []string
		if task.Waiting != "" {
			remarks = append(remarks, "waits for "+task.Waiting)
		}
		if task.Quarantined > 0 {
			remarks = append(remarks, fmt.Sprintf("%d of %d records quarantined", task.Quarantined, task.Records))
		}
		if task.Carried {
			remarks = append(remarks, "result of an earlier run")
		}
		if task.Decision != "" {
			remarks = append(remarks, "decided: "+task.Decision)
		}
		if len(remarks) > 0 {
			a.say("%s: %s", task.ID, strings.Join(remarks, "; "))
		}
	}
}

// told says that the errors of the tasks say all that the run's error says.
func told(status run.Status) bool {
	for _, task := range status.Tasks {
		if task.Error != "" {
			return true
		}
	}
	return false
}

// runTitle is a run in one line.
func (a *app) runTitle(status run.Status) string {
	title := fmt.Sprintf("%s of %s: %s (%s", a.paint(text.Bold, status.DAG), a.paint(text.Bold, string(status.Date)),
		a.paintState(status.State, string(status.State)), status.Trigger)
	if took := a.took(status.Started, status.Ended); took != "" {
		title += ", " + took
	}
	if len(status.Tags) > 0 {
		title += ", " + strings.Join(status.Tags, " ")
	}
	title += ")"
	if status.Partial {
		title += fmt.Sprintf(", partial: the date up to %s UTC", moment(status.Until))
	}
	return title
}

// took is how long something took, or has taken so far.
func (a *app) took(started, ended time.Time) string {
	switch {
	case started.IsZero():
		return ""
	case ended.IsZero():
		return duration(max(0, a.now().Sub(started))) // this machine's clock may be behind the server's
	}
	return duration(ended.Sub(started))
}

// number writes a number, and nothing for zero: in a table of tasks zero says that there is nothing to count.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}

// stateColours are the colours of states on a terminal.
var stateColours = map[run.State]text.Color{
	run.Success:        text.FgGreen,
	run.Failed:         text.FgRed,
	run.UpstreamFailed: text.FgYellow,
	run.UpForRetry:     text.FgYellow,
	run.Held:           text.FgMagenta,
	run.Running:        text.FgCyan,
	run.Queued:         text.FgHiBlack,
	run.Skipped:        text.FgHiBlack,
	run.None:           text.FgHiBlack,
}

// paintState colours a text in the colour of a state.
func (a *app) paintState(state run.State, s string) string {
	colour, ok := stateColours[state]
	if !ok {
		return s
	}
	return a.paint(colour, s)
}
