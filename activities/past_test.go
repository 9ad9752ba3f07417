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
)

// asked asks about clean_pin of day.
func asked(change func(*CheckPastInput)) CheckPastInput {
	in := CheckPastInput{DAG: "pinterest-daily", Date: day, WorkflowID: "pinterest-daily-" + string(day), Task: "clean_pin"}
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
			require.Equal(t, "pinterest-daily-"+string(day), workflowID)
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

func tasks(state string) []TaskRecord {
	return []TaskRecord{{ID: "load", State: "success"}, {ID: "clean_pin", State: state}}
}

func TestCheckPast_TheDateBeforeMustHaveSucceeded(t *testing.T) {
	for name, c := range map[string]struct {
		entry *LedgerEntry
		want  string
	}{
		"success":         {&LedgerEntry{Tasks: tasks("success")}, ""},
		"skipped":         {&LedgerEntry{Tasks: tasks("skipped")}, ""},
		"new in the DAG":  {&LedgerEntry{Tasks: []TaskRecord{{ID: "load", State: "success"}}}, ""},
		"failed":          {&LedgerEntry{Tasks: tasks("failed")}, "clean_pin of 2022-10-18 is failed: it must succeed first; rerun it if it has failed, or run this date with --ignore-past"},
		"upstream_failed": {&LedgerEntry{Tasks: tasks("upstream_failed")}, "is upstream_failed"},
		"partial":         {&LedgerEntry{Partial: true, Tasks: tasks("success")}, "is partial"},
		"nothing before":  {nil, ""},
	} {
		ledger := &Ledger{Objects: newBucket()}
		if c.entry != nil {
			c.entry.DAG, c.entry.Date, c.entry.RunID = "pinterest-daily", day, "a"
			write(t, ledger, *c.entry)
		}
		_, err := execute[struct{}]((&Past{Client: noRun(), Ledger: ledger}).CheckPast, asked(nil))
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		requireRetryable(t, err, c.want)
	}
}

func TestCheckPast_AGapBeforeTheDateIsNoStart(t *testing.T) {
	ledger := &Ledger{Objects: newBucket()}
	write(t, ledger, entry(day.Add(-3), "a"))
	_, err := execute[struct{}]((&Past{Client: noRun(), Ledger: ledger}).CheckPast, asked(nil))
	requireRetryable(t, err, "2022-10-18 has not run, but dates before it have: run it first, or run this date with --ignore-past")
}

func TestCheckPast_ADateOfTheSameBackfillWillRun(t *testing.T) {
	past := &Past{Client: noRun(), Ledger: &Ledger{Objects: newBucket()}}
	_, err := execute[struct{}](past.CheckPast, asked(func(in *CheckPastInput) { in.Since = day.Add(-2) }))
	requireRetryable(t, err, "2022-10-18 has not run yet; it is part of the same backfill")
	_, err = execute[struct{}](past.CheckPast, asked(func(in *CheckPastInput) { in.Since = day.Add(1) }))
	require.NoError(t, err, "the backfill's first date has no past")
}

// A date that is rerun counts as it stands now, not as the ledger has it from before.
func TestCheckPast_ARunThatIsGoingCountsBeforeTheLedger(t *testing.T) {
	type status struct {
		Partial bool         `json:"partial"`
		Tasks   []TaskRecord `json:"tasks"`
	}
	ledger := &Ledger{Objects: newBucket()}
	done := entry(day, "a")
	done.Tasks = tasks("success")
	write(t, ledger, done)
	for state, free := range map[string]bool{"running": false, "none": false, "success": true, "skipped": true, "failed": false} {
		_, err := execute[struct{}]((&Past{Client: going(t, status{Tasks: tasks(state)}), Ledger: ledger}).CheckPast, asked(nil))
		require.Equal(t, free, err == nil, state)
	}
	_, err := execute[struct{}]((&Past{Client: going(t, status{Partial: true, Tasks: tasks("success")}), Ledger: ledger}).CheckPast, asked(nil))
	require.Error(t, err, "it has not seen the whole date")
}

func TestCheckPast_InABackfillAFailureIsFinal(t *testing.T) {
	ledger := &Ledger{Objects: newBucket()}
	failed := entry(day, "a")
	failed.Tasks = tasks("failed")
	write(t, ledger, failed)
	_, err := execute[struct{}]((&Past{Client: noRun(), Ledger: ledger}).CheckPast, asked(func(in *CheckPastInput) { in.FailedIsFinal = true }))
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
	require.Equal(t, ErrorPastFailed, app.Type())
	require.ErrorContains(t, err, "rerun 2022-10-18 first, or ignore the past")
}

func TestCheckPast_TroubleIsRetried(t *testing.T) {
	down := &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
		return nil, errors.New("no connection")
	}}
	_, err := execute[struct{}]((&Past{Client: down, Ledger: &Ledger{Objects: newBucket()}}).CheckPast, asked(nil))
	requireRetryable(t, err, "look up run pinterest-daily-2022-10-18: no connection")
}
