package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// runRow is one run in the list of runs.
type runRow struct {
	Date       dates.Date `json:"date"`
	State      string     `json:"state"`
	Trigger    string     `json:"trigger"`
	Partial    bool       `json:"partial"`
	Tags       []string   `json:"tags,omitempty"`
	Started    time.Time  `json:"started"`
	Ended      time.Time  `json:"ended,omitzero"`
	WorkflowID string     `json:"workflowId"`
	RunID      string     `json:"runId"`
	UI         string     `json:"ui"`
}

// runsFilter says which runs to list.
type runsFilter struct {
	state, trigger, tag string
	from, to            dates.Date
	going               bool // only runs that have not ended
}

func (a *app) runsCommand() *cobra.Command {
	var f runsFilter
	var from, to string
	var limit int
	c := &cobra.Command{
		Use:   "runs",
		Short: "List the runs that Temporal knows, the latest first",
		Long: "Runs lists the runs that Temporal knows: those within the namespace's retention.\n" +
			"`starter grid` and `starter status <date>` also know older ones.",
		Example: "  starter runs\n  starter runs --state failed --trigger schedule --from 2022-10-01 -o json\n  starter runs --tag repair",
		GroupID: groupRuns,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var errs [4]error
			f.from, errs[0] = optionalDate("--from", from)
			f.to, errs[1] = optionalDate("--to", to)
			if limit < 1 {
				errs[2] = usagef("--limit %d: want 1 or more", limit)
			}
			query, err := f.query()
			errs[3] = err
			if err := errors.Join(errs[:]...); err != nil {
				return err
			}
			return a.runs(c, query, limit)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.state, "state", "", "only runs in this `state`: running, held, success or failed")
	flags.StringVar(&f.trigger, "trigger", "", "only runs with this `trigger`: schedule, manual or backfill")
	flags.StringVar(&f.tag, "tag", "", "only runs with this `tag`")
	flags.StringVar(&from, "from", "", "only runs of this `date` and later ones")
	flags.StringVar(&to, "to", "", "only runs of this `date` and earlier ones")
	flags.IntVarP(&limit, "limit", "n", 50, "list at most so many `runs`")
	return prints(c, formTable, formJSON)
}

// optionalDate reads a date that may be left out.
func optionalDate(name, text string) (dates.Date, error) {
	if text == "" {
		return "", nil
	}
	date, err := dates.Parse(text)
	if err != nil {
		return "", usagef("%s: %w", name, err)
	}
	return date, nil
}

// query is the search for the runs, in Temporal's list filter.
func (f runsFilter) query() (string, error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND %s = '%s'", run.RunWorkflow, search.DAG.GetName(), dailyName)
	var errs []error
	switch run.State(f.state) {
	case "":
	case run.Running, run.Held, run.Success, run.Failed:
		query += fmt.Sprintf(" AND %s = '%s'", search.State.GetName(), f.state)
	default:
		errs = append(errs, usagef("--state %s: a run is running, held, success or failed", f.state))
	}
	switch run.Trigger(f.trigger) {
	case "":
	case run.Scheduled, run.Manual, run.Backfill:
		query += fmt.Sprintf(" AND %s = '%s'", search.Trigger.GetName(), f.trigger)
	default:
		errs = append(errs, usagef("--trigger %s: it is schedule, manual or backfill", f.trigger))
	}
	switch {
	case f.tag == "":
	case tagForm.MatchString(f.tag):
		query += fmt.Sprintf(" AND %s = '%s'", search.Tags.GetName(), f.tag)
	default:
		errs = append(errs, usagef("--tag %q: a tag is up to 63 letters, digits and _ . : -", f.tag))
	}
	if f.from != "" {
		query += fmt.Sprintf(" AND %s >= '%s'", search.Date.GetName(), f.from.Start().Format(time.RFC3339))
	}
	if f.to != "" {
		query += fmt.Sprintf(" AND %s <= '%s'", search.Date.GetName(), f.to.Start().Format(time.RFC3339))
	}
	if f.going {
		query += " AND ExecutionStatus = 'Running'"
	}
	return query, errors.Join(errs...)
}

func (a *app) runs(c *cobra.Command, query string, limit int) error {
	conn, err := a.connect.temporal(c.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := a.listRuns(c.Context(), conn, query, limit)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(rows)
	}
	if len(rows) == 0 {
		a.say("There are no such runs: start one with `starter run`.")
		return nil
	}
	a.printGrid(a.runsGrid(rows))
	return nil
}

// runsGrid has a column of tags only if a run has some.
func (a *app) runsGrid(rows []runRow) grid {
	tagged := slices.ContainsFunc(rows, func(r runRow) bool { return len(r.Tags) > 0 })
	g := grid{header: []string{"date", "state", "trigger", "partial", "started (utc)", "took", "run id"}, right: []int{5}}
	if tagged {
		g.header = append(g.header, "tags")
	}
	for _, r := range rows {
		partial := ""
		if r.Partial {
			partial = "yes"
		}
		row := []string{string(r.Date), a.paintState(run.State(r.State), r.State), r.Trigger, partial, moment(r.Started), a.took(r.Started, r.Ended), r.RunID}
		if tagged {
			row = append(row, strings.Join(r.Tags, " "))
		}
		g.rows = append(g.rows, row)
	}
	return g
}

// listPage is how many runs are asked for at once: a page of 1,000 may take a small server longer than a request has.
const listPage = 100

// listRuns asks Temporal's visibility, page by page.
func (a *app) listRuns(ctx context.Context, conn *temporal.Connection, query string, limit int) ([]runRow, error) {
	rows := []runRow{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: int32(min(limit, listPage))}
	for {
		page, err := conn.ListWorkflow(ctx, request)
		var invalid *serviceerror.InvalidArgument
		if errors.As(err, &invalid) && strings.Contains(err.Error(), "Pinflow") {
			return nil, fmt.Errorf("the namespace lacks Pinflow's search attributes: run `starter setup` (%w)", err)
		}
		if err != nil {
			return nil, conn.Classify(err)
		}
		for _, info := range page.GetExecutions() {
			row, err := a.runRow(conn, info)
			if err != nil {
				return nil, err
			}
			if rows = append(rows, row); len(rows) == limit {
				return rows, nil
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return rows, nil
		}
	}
}

// runRow reads one run from what visibility knows of it. A run that was ended from outside could not write its state: Temporal's counts.
func (a *app) runRow(conn *temporal.Connection, info *workflowpb.WorkflowExecutionInfo) (runRow, error) {
	row := runRow{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		Started: info.GetStartTime().AsTime(), State: executionState(info.GetStatus()),
	}
	if info.GetCloseTime() != nil {
		row.Ended = info.GetCloseTime().AsTime()
	}
	row.UI = a.uiLink(conn, row.WorkflowID, row.RunID)
	var date time.Time
	var held string
	for key, into := range map[sdktemporal.SearchAttributeKey]any{
		search.Date: &date, search.Trigger: &row.Trigger, search.Partial: &row.Partial, search.State: &held,
		search.Tags: &row.Tags,
	} {
		payload := info.GetSearchAttributes().GetIndexedFields()[key.GetName()]
		if payload == nil {
			continue
		}
		if err := converter.GetDefaultDataConverter().FromPayload(payload, into); err != nil {
			return runRow{}, fmt.Errorf("search attribute %s of run %s: %w", key.GetName(), row.RunID, err)
		}
	}
	if !date.IsZero() {
		row.Date = dates.Of(date)
	}
	if row.State == string(run.Running) && held != "" {
		row.State = held
	}
	return row, nil
}
