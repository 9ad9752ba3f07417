package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// tenDays is a backfill in which so many dates are done and failed.
func tenDays(success, failed, skipped int, running ...dates.Date) run.RangeProgress {
	p := run.RangeProgress{RangeResult: run.RangeResult{From: "2022-10-01", To: "2022-10-10", Total: 10, Success: success, Failed: failed, Skipped: skipped},
		Parallel: 2, Pace: run.Pace{Each: 30 * time.Second}}
	if failed > 0 {
		p.FailedDates, p.FirstError = []dates.Date{"2022-10-04"}, "task clean_geo failed after 2 tries:\nnowhere"
	}
	for _, date := range running {
		p.Running = append(p.Running, &run.InFlight{Date: date})
	}
	return p
}

// backfills lets the world start a backfill that answers so, and ends with the last of the answers.
func (w *world) backfills(answers ...run.RangeProgress) {
	last := answers[len(answers)-1].RangeResult
	e := &fakeExecution{runID: "r1", status: running}
	for _, answer := range answers {
		e.answers = append(e.answers, answer)
	}
	e.result = func(into any) error {
		if last.Failed > 0 || last.Stopped != "" {
			return sdktemporal.NewNonRetryableApplicationError("dates failed", failure.RangeFailed, nil, last)
		}
		*into.(*run.RangeResult) = last
		return nil
	}
	w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) { return e, nil }
}

func backfillLine(more ...string) []string {
	return append([]string{"backfill", "--from", "2022-10-01", "--to", "2022-10-10"}, more...)
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	t.Run("asks_for_the_dates_as_told_to", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.backfills(tenDays(10, 0, 0))
		code, stdout, stderr := w.starter(t, backfillLine("--parallel", "4", "--reprocess", "failed", "--param", "invalid_followers=null")...)
		require.Zero(t, code, stderr)
		require.Equal(t, []any{run.RangeInput{DAG: pipeline, From: "2022-10-01", To: "2022-10-10", Parallel: 4, Batch: 64,
			Reprocess: run.ReprocessFailed, OnFailure: "continue", Trigger: run.Backfill, TriggeredBy: "ann@desk",
			Params: map[string]string{"invalid_followers": "null"}}}, w.temporal.started)
		require.Contains(t, stdout, "10 dates")
		require.Contains(t, stdout, "pinflow.pipeline.backfill.2022-10-01.2022-10-10/r1")
	})

	t.Run("passes_all_its_flags", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.backfills(tenDays(10, 0, 0))
		code, _, stderr := w.starter(t, backfillLine("--task-from", "clean_geo", "--backwards", "--batch", "8", "--on-failure", "max=3", "--hold", "--ignore-past", "--accept-gaps", "--reason", "an outage", "--run-timeout", "6h", "--tag", "repair")...)
		require.Zero(t, code, stderr)
		require.Equal(t, []any{run.RangeInput{
			DAG: pipeline, From: "2022-10-01", To: "2022-10-10", Parallel: 1, Batch: 8, Reprocess: run.ReprocessAll, Backwards: true, OnFailure: "max=3",
			Trigger: run.Backfill, Params: map[string]string{}, Hold: true, RerunTasks: dag.Tasks{"clean_geo", "query"}, IgnorePast: true, AcceptGaps: "an outage", RunTimeout: 6 * time.Hour,
			TriggeredBy: "ann@desk", Tags: []string{"repair"},
		}}, w.temporal.started, "tasks that run again mean dates that run again")
	})

	t.Run("reports_all_mistakes_at_once", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, _, stderr := w.starter(t, "backfill", "--from", "2022-10-05", "--to", "2022-10-01", "--parallel", "0", "--batch", "129", "--reprocess", "some", "--on-failure", "max=0",
			"--task-from", "cleen", "--tag", "a b", "--run-timeout", "-1h")
		require.Equal(t, exit.Usage, code)
		for _, want := range []string{
			"--from 2022-10-05 comes after --to 2022-10-01", "--parallel 0", "--batch 129: want 1 to 128", `--reprocess "some"`, `--on-failure "max=0"`, `--task-from: no task "cleen"`, `--tag "a b"`, "--run-timeout -1h0m0s",
		} {
			require.Contains(t, stderr, want)
		}
		require.Empty(t, w.touched)
	})

	t.Run("shows_its_progress_and_ends", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.backfills(tenDays(0, 0, 0, "2022-10-02", "2022-10-01"), tenDays(2, 0, 1, "2022-10-05", "2022-10-04"), tenDays(2, 0, 1, "2022-10-05"), tenDays(9, 0, 1))
		code, stdout, stderr := w.starter(t, backfillLine("--wait")...)
		require.Zero(t, code)
		require.Equal(t, "10 dates from 2022-10-01 to 2022-10-10: 9 success, 0 failed, 1 skipped (already done)\n\n"+
			"Web UI: http://ui:8233/namespaces/default/workflows/pinflow.pipeline.backfill.2022-10-01.2022-10-10/r1\n", stdout)
		require.Equal(t, "dates 3/10 (running 2022-10-04 and 1 more, about 3m30s left)\ndates 10/10\n", stderr)
	})

	t.Run("ends_with_one_if_a_date_failed", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.backfills(tenDays(8, 1, 1))
		code, stdout, _ := w.starter(t, backfillLine("--wait")...)
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "8 success, 1 failed, 1 skipped")
		require.Contains(t, stdout, "Failed: 2022-10-04")
		require.Contains(t, stdout, "task clean_geo failed after 2 tries:\n  nowhere")

		w.backfills(tenDays(8, 1, 1))
		code, stdout, _ = w.starter(t, backfillLine("--wait", "-o", "json")...)
		require.Equal(t, exit.Failed, code)
		var result run.RangeResult
		require.NoError(t, json.Unmarshal([]byte(stdout), &result))
		require.Equal(t, tenDays(8, 1, 1).RangeResult, result)
	})

	t.Run("ends_with_one_if_dates_were_not_run", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		stopped := tenDays(4, 0, 0)
		stopped.Stopped = "stopped by ann: enough"
		w.backfills(stopped)
		code, stdout, _ := w.starter(t, backfillLine("--wait")...)
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "6 dates did not run: stopped by ann: enough")
	})

	t.Run("of_the_same_dates_is_there_once", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "r1")
		}
		code, _, stderr := w.starter(t, backfillLine()...)
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "already running")

		w.backfills(tenDays(10, 0, 0))
		_, err := w.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "pinflow.pipeline.backfill.2022-10-01.2022-10-10"}, nil, nil)
		require.NoError(t, err)
		w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "r1")
		}
		code, stdout, stderr := w.starter(t, backfillLine("--wait")...)
		require.Zero(t, code)
		require.Contains(t, stderr, "waiting for that")
		require.Contains(t, stdout, "10 success")
	})
}

// listed is a run as visibility knows it.
func listed(t *testing.T, date dates.Date, status enumspb.WorkflowExecutionStatus, state run.State, partial bool) *workflowpb.WorkflowExecutionInfo {
	fields := map[string]*commonpb.Payload{}
	for name, value := range map[string]any{"PinflowDate": date.Start(), "PinflowState": state, "PinflowTrigger": "schedule", "PinflowPartial": partial} {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		fields[name] = payload
	}
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: run.DefaultDeployment.WorkflowID(pipeline, date), RunId: "r-" + string(date)},
		StartTime: timestamppb.New(date.End()), Status: status, SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
	}
	if status != running {
		info.CloseTime = timestamppb.New(date.End().Add(90 * time.Second))
	}
	return info
}

func TestRuns(t *testing.T) {
	t.Parallel()
	t.Run("lists_all_pages", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		var asked string
		w.temporal.list = func(query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
			asked = query
			return []*workflowpb.WorkflowExecutionInfo{
				listed(t, "2022-10-18", running, run.Held, false),
				listed(t, "2022-10-17", completed, run.Success, true),
				listed(t, "2022-10-16", failed, run.Failed, false),
				listed(t, "2022-10-15", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, run.Running, false),
				listed(t, "2022-10-14", completed, run.Success, false),
			}, nil
		}
		code, stdout, stderr := w.starter(t, "runs")
		require.Zero(t, code, stderr)
		require.Equal(t, "TaskQueue = 'pinflow' AND WorkflowType = 'Run' AND PinflowDag = 'pipeline'", asked)
		golden(t, "runs", stdout)

		_, stdout, _ = w.starter(t, "runs", "--state", "failed", "--limit", "3", "-o", "json")
		require.Contains(t, asked, "ExecutionStatus = 'Failed'")
		var rows []history.RunRow
		require.NoError(t, json.Unmarshal([]byte(stdout), &rows))
		require.Len(t, rows, 3)
		require.EqualValues(t, "2022-10-16", rows[2].Date)
	})

	t.Run("are_found_by_what_they_are", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		var asked string
		w.temporal.list = func(query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
			asked = query
			info := listed(t, "2022-10-18", completed, run.Success, false)
			tags, err := converter.GetDefaultDataConverter().ToPayload([]string{"repair", "urgent"})
			require.NoError(t, err)
			info.SearchAttributes.IndexedFields["PinflowTags"] = tags
			return []*workflowpb.WorkflowExecutionInfo{info}, nil
		}
		code, stdout, stderr := w.starter(t, "runs", "--state", "success", "--trigger", "schedule", "--from", "2022-10-01", "--to", "2022-10-18", "--tag", "repair")
		require.Zero(t, code, stderr)
		require.Equal(t, "TaskQueue = 'pinflow' AND WorkflowType = 'Run' AND PinflowDag = 'pipeline' AND ExecutionStatus = 'Completed' AND PinflowTrigger = 'schedule' AND PinflowTags = 'repair'"+
			" AND PinflowDate >= '2022-10-01T00:00:00Z' AND PinflowDate < '2022-10-19T00:00:00Z'", asked)
		require.Contains(t, stdout, "repair urgent")

		code, _, stderr = w.starter(t, "runs", "--state", "done", "--trigger", "cron", "--from", "x", "--tag", "a'b")
		require.Equal(t, exit.Usage, code)
		for _, want := range []string{"--state done", "--trigger cron", "--from: ", `--tag "a'b"`} {
			require.Contains(t, stderr, want)
		}
	})

	t.Run("says_what_to_do_if_there_is_nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.list = func(string) ([]*workflowpb.WorkflowExecutionInfo, error) { return nil, nil }
		code, stdout, _ := w.starter(t, "runs")
		require.Zero(t, code)
		require.Contains(t, stdout, "starter run")
		_, stdout, _ = w.starter(t, "runs", "-o", "json")
		require.JSONEq(t, "[]", stdout)

		w.temporal.list = func(string) ([]*workflowpb.WorkflowExecutionInfo, error) {
			return nil, serviceerror.NewInvalidArgument("invalid query: column name 'PinflowDag' is not defined")
		}
		code, _, stderr := w.starter(t, "runs")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "starter setup")
	})
}
