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
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// asked returns the input that checks clean_pin of day.
func asked(change func(*CheckPastInput)) CheckPastInput {
	in := CheckPastInput{DAG: "pinterest-daily", Date: day, WorkflowID: "pinterest-daily-" + string(day), Task: "clean_pin"}
	if change != nil {
		change(&in)
	}
	return in
}

// withOpenRun returns a Temporal in which the run of day is running and answers queries with the
// status.
func withOpenRun(t *testing.T, status any) *namespace {
	return &namespace{
		describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
			return &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{RunId: "r"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}, nil
		},
		query: func(workflowID, query string) (converter.EncodedValue, error) {
			require.Equal(t, "pinterest-daily-"+string(day), workflowID)
			require.Equal(t, run.StatusQuery, query)
			payloads, err := converter.GetDefaultDataConverter().ToPayloads(status)
			require.NoError(t, err)
			return client.NewValue(payloads), nil
		},
	}
}

func noRun() *namespace {
	return &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) { return nil, &serviceerror.NotFound{} }}
}

func tasks(state run.State) []run.Task {
	return []run.Task{{ID: "load", State: run.Success}, {ID: "clean_pin", State: state}}
}

// entryOf returns the ledger entry of a successful run.
func entryOf(date dates.Date) ledger.Entry {
	return ledger.Entry{Status: run.Status{DAG: "pinterest-daily", Date: date, State: run.Success, RunID: "a", Tasks: tasks(run.Success)}}
}

func write(t *testing.T, entries *ledger.Ledger, entry ledger.Entry) {
	t.Helper()
	require.NoError(t, entries.Write(t.Context(), entry))
}

func TestCheckPast(t *testing.T) {
	t.Run("the_date_before_must_have_succeeded", func(t *testing.T) {
		for name, c := range map[string]struct {
			entry *ledger.Entry
			want  string
		}{
			"success":         {&ledger.Entry{Status: run.Status{Tasks: tasks("success")}}, ""},
			"skipped":         {&ledger.Entry{Status: run.Status{Tasks: tasks("skipped")}}, ""},
			"new in the DAG":  {&ledger.Entry{Status: run.Status{Tasks: []run.Task{{ID: "load", State: run.Success}}}}, ""},
			"failed":          {&ledger.Entry{Status: run.Status{Tasks: tasks("failed")}}, "clean_pin of 2022-10-18 is failed and must succeed first: if it has failed, rerun it, or run this date with --ignore-past"},
			"upstream_failed": {&ledger.Entry{Status: run.Status{Tasks: tasks("upstream_failed")}}, "is upstream_failed"},
			"cancelled":       {&ledger.Entry{Status: run.Status{Tasks: tasks("cancelled")}}, "is cancelled"},
			"partial":         {&ledger.Entry{Status: run.Status{Partial: true, Tasks: tasks("success")}}, "is partial"},
			"nothing before":  {nil, ""},
		} {
			entries := &ledger.Ledger{Objects: buckettest.New()}
			if c.entry != nil {
				c.entry.DAG, c.entry.Date, c.entry.RunID = "pinterest-daily", day, "a"
				write(t, entries, *c.entry)
			}
			_, err := activitytest.Execute[struct{}]((&Past{Client: noRun(), Ledger: entries}).CheckPast, asked(nil))
			if c.want == "" {
				require.NoError(t, err, name)
				continue
			}
			activitytest.RequireRetryable(t, err, c.want)
		}
	})

	t.Run("a_gap_is_not_the_first_date", func(t *testing.T) {
		entries := &ledger.Ledger{Objects: buckettest.New()}
		write(t, entries, entryOf(day.Add(-3)))
		_, err := activitytest.Execute[struct{}]((&Past{Client: noRun(), Ledger: entries}).CheckPast, asked(nil))
		activitytest.RequireRetryable(t, err, "2022-10-18 has not run, but earlier dates have: run it first, or run this date with --ignore-past")
	})

	t.Run("a_date_of_the_same_backfill_will_run", func(t *testing.T) {
		past := &Past{Client: noRun(), Ledger: &ledger.Ledger{Objects: buckettest.New()}}
		_, err := activitytest.Execute[struct{}](past.CheckPast, asked(func(in *CheckPastInput) { in.BackfillStart = day.Add(-2) }))
		activitytest.RequireRetryable(t, err, "2022-10-18 has not run yet; it is part of the same backfill")
		_, err = activitytest.Execute[struct{}](past.CheckPast, asked(func(in *CheckPastInput) { in.BackfillStart = day.Add(1) }))
		require.NoError(t, err, "the backfill's first date has no past")
	})

	// A rerun of the date before counts, not the ledger's entry of the earlier run.
	t.Run("a_running_run_counts_before_the_ledger", func(t *testing.T) {
		type status struct {
			Partial bool       `json:"partial"`
			Tasks   []run.Task `json:"tasks"`
		}
		entries := &ledger.Ledger{Objects: buckettest.New()}
		done := entryOf(day)
		done.Tasks = tasks("success")
		write(t, entries, done)
		for state, free := range map[run.State]bool{run.Running: false, run.None: false, run.Success: true, run.Skipped: true, run.Failed: false, run.Cancelled: false} {
			_, err := activitytest.Execute[struct{}]((&Past{Client: withOpenRun(t, status{Tasks: tasks(state)}), Ledger: entries}).CheckPast, asked(nil))
			require.Equal(t, free, err == nil, state)
		}
		_, err := activitytest.Execute[struct{}]((&Past{Client: withOpenRun(t, status{Partial: true, Tasks: tasks("success")}), Ledger: entries}).CheckPast, asked(nil))
		require.Error(t, err, "it has not seen the whole date")
	})

	t.Run("in_a_backfill_a_failure_is_final", func(t *testing.T) {
		entries := &ledger.Ledger{Objects: buckettest.New()}
		for _, state := range []run.State{run.Failed, run.UpstreamFailed, run.Cancelled} {
			failed := entryOf(day)
			failed.Tasks = tasks(state)
			write(t, entries, failed)
			_, err := activitytest.Execute[struct{}]((&Past{Client: noRun(), Ledger: entries}).CheckPast, asked(func(in *CheckPastInput) { in.FailedIsFinal = true }))
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.True(t, app.NonRetryable())
			require.Equal(t, failure.PastFailed, app.Type())
			require.ErrorContains(t, err, "rerun 2022-10-18 first, or ignore the past")
		}
	})

	t.Run("faults_are_retried", func(t *testing.T) {
		down := &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
			return nil, errors.New("no connection")
		}}
		_, err := activitytest.Execute[struct{}]((&Past{Client: down, Ledger: &ledger.Ledger{Objects: buckettest.New()}}).CheckPast, asked(nil))
		activitytest.RequireRetryable(t, err, "look up run pinterest-daily-2022-10-18: no connection")
	})
}
