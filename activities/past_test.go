package activities

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// asked asks about clean_pin of day.
func asked(change func(*CheckPastInput)) CheckPastInput {
	in := CheckPastInput{DAG: "pinterest-daily", Date: landing.Day, WorkflowID: "pinterest-daily-" + string(landing.Day), Task: "clean_pin"}
	if change != nil {
		change(&in)
	}
	return in
}

// status is a run that is going, and what it answers.
func going(t *testing.T, status any) *namespace {
	return &namespace{
		describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
			return &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{RunId: "r"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}, nil
		},
		query: func(workflowID, query string) (converter.EncodedValue, error) {
			require.Equal(t, "pinterest-daily-"+string(landing.Day), workflowID)
			require.Equal(t, StatusQuery, query)
			payloads, err := converter.GetDefaultDataConverter().ToPayloads(status)
			require.NoError(t, err)
			return client.NewValue(payloads), nil
		},
	}
}

func noRun() *namespace {
	return &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) { return nil, &serviceerror.NotFound{} }}
}

func tasks(state string) []run.TaskRecord {
	return []run.TaskRecord{{ID: "load", State: "success"}, {ID: "clean_pin", State: state}}
}

func TestCheckPast_TheDateBeforeMustHaveSucceeded(t *testing.T) {
	for name, c := range map[string]struct {
		entry *ledger.Entry
		want  string
	}{
		"success":         {&ledger.Entry{Tasks: tasks("success")}, ""},
		"skipped":         {&ledger.Entry{Tasks: tasks("skipped")}, ""},
		"new in the DAG":  {&ledger.Entry{Tasks: []run.TaskRecord{{ID: "load", State: "success"}}}, ""},
		"failed":          {&ledger.Entry{Tasks: tasks("failed")}, "clean_pin of 2022-10-18 is failed: it must succeed first; rerun it if it has failed, or run this date with --ignore-past"},
		"upstream_failed": {&ledger.Entry{Tasks: tasks("upstream_failed")}, "is upstream_failed"},
		"partial":         {&ledger.Entry{Partial: true, Tasks: tasks("success")}, "is partial"},
		"nothing before":  {nil, ""},
	} {
		entries := &ledger.Ledger{Objects: buckettest.New()}
		if c.entry != nil {
			c.entry.DAG, c.entry.Date, c.entry.RunID = "pinterest-daily", landing.Day, "a"
			ledger.Write(t, entries, *c.entry)
		}
		_, err := activitytest.Execute[struct{}]((&Past{Client: noRun(), Ledger: entries}).CheckPast, asked(nil))
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		activitytest.RequireRetryable(t, err, c.want)
	}
}

func TestCheckPast_AGapBeforeTheDateIsNoStart(t *testing.T) {
	entries := &ledger.Ledger{Objects: buckettest.New()}
	ledger.Write(t, entries, ledger.Entry(landing.Day.Add(-3), "a"))
	_, err := activitytest.Execute[struct{}]((&Past{Client: noRun(), Ledger: entries}).CheckPast, asked(nil))
	activitytest.RequireRetryable(t, err, "2022-10-18 has not run, but dates before it have: run it first, or run this date with --ignore-past")
}

func TestCheckPast_ADateOfTheSameBackfillWillRun(t *testing.T) {
	past := &Past{Client: noRun(), Ledger: &ledger.Ledger{Objects: buckettest.New()}}
	_, err := activitytest.Execute[struct{}](past.CheckPast, asked(func(in *CheckPastInput) { in.Since = landing.Day.Add(-2) }))
	activitytest.RequireRetryable(t, err, "2022-10-18 has not run yet; it is part of the same backfill")
	_, err = activitytest.Execute[struct{}](past.CheckPast, asked(func(in *CheckPastInput) { in.Since = landing.Day.Add(1) }))
	require.NoError(t, err, "the backfill's first date has no past")
}

// A date that is rerun counts as it stands now, not as the ledger has it from before.
func TestCheckPast_ARunThatIsGoingCountsBeforeTheLedger(t *testing.T) {
	type status struct {
		Partial bool             `json:"partial"`
		Tasks   []run.TaskRecord `json:"tasks"`
	}
	entries := &ledger.Ledger{Objects: buckettest.New()}
	done := ledger.Entry(landing.Day, "a")
	done.Tasks = tasks("success")
	ledger.Write(t, entries, done)
	for state, free := range map[string]bool{"running": false, "none": false, "success": true, "skipped": true, "failed": false} {
		_, err := activitytest.Execute[struct{}]((&Past{Client: going(t, status{Tasks: tasks(state)}), Ledger: entries}).CheckPast, asked(nil))
		require.Equal(t, free, err == nil, state)
	}
	_, err := activitytest.Execute[struct{}]((&Past{Client: going(t, status{Partial: true, Tasks: tasks("success")}), Ledger: entries}).CheckPast, asked(nil))
	require.Error(t, err, "it has not seen the whole date")
}

func TestCheckPast_InABackfillAFailureIsFinal(t *testing.T) {
	entries := &ledger.Ledger{Objects: buckettest.New()}
	failed := ledger.Entry(landing.Day, "a")
	failed.Tasks = tasks("failed")
	ledger.Write(t, entries, failed)
	_, err := activitytest.Execute[struct{}]((&Past{Client: noRun(), Ledger: entries}).CheckPast, asked(func(in *CheckPastInput) { in.FailedIsFinal = true }))
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
	require.Equal(t, failure.PastFailed, app.Type())
	require.ErrorContains(t, err, "rerun 2022-10-18 first, or ignore the past")
}

func TestCheckPast_TroubleIsRetried(t *testing.T) {
	down := &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
		return nil, errors.New("no connection")
	}}
	_, err := activitytest.Execute[struct{}]((&Past{Client: down, Ledger: &ledger.Ledger{Objects: buckettest.New()}}).CheckPast, asked(nil))
	activitytest.RequireRetryable(t, err, "look up run pinterest-daily-2022-10-18: no connection")
}
