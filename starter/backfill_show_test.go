package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// manyBackfills is a world with a running backfill and some that have ended.
func manyBackfills() *world {
	w := newWorld()
	var all []*workflowpb.WorkflowExecutionInfo
	add := func(from, to string, status enumspb.WorkflowExecutionStatus, ago time.Duration, e *fakeExecution) {
		id := run.DefaultDeployment.RangeWorkflowID(pipeline, dates.Date(from), dates.Date(to))
		info := &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "r"}, Status: status, StartTime: timestamppb.New(noon.Add(-ago)),
			TaskQueue: run.DefaultDeployment.TaskQueue(),
		}
		if status != running {
			info.CloseTime = timestamppb.New(noon.Add(-ago + time.Minute))
		}
		all = append(all, info)
		if status != enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			e.info = info
			close(w.temporal.add(id, e).over)
		}
	}
	ends := func(r run.RangeResult, err error) *fakeExecution {
		return &fakeExecution{result: func(into any) error {
			if err == nil {
				*into.(*run.RangeResult) = r
			}
			return err
		}}
	}
	add("2022-10-01", "2022-10-10", running, time.Hour, &fakeExecution{answers: []any{tenDays(3, 1, 2, "2022-10-07"), tenDays(3, 1, 2, "2022-10-07")}})
	add("2022-10-01", "2022-10-10", enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, 2*time.Hour, nil)
	add("2022-09-01", "2022-09-30", completed, 24*time.Hour, ends(run.RangeResult{From: "2022-09-01", To: "2022-09-30", Total: 30, Success: 30}, nil))
	bad := run.RangeResult{From: "2022-08-01", To: "2022-08-03", Total: 3, Success: 1, Failed: 1, Cancelled: 1, FailedDates: []dates.Date{"2022-08-02"}, FirstError: "nowhere\nnot here"}
	add("2022-08-01", "2022-08-03", failed, 48*time.Hour, ends(run.RangeResult{}, temporal.NewNonRetryableApplicationError("1 of 3 dates failed", failure.RangeFailed, nil, bad)))
	add("2022-07-01", "2022-07-02", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, 72*time.Hour, ends(run.RangeResult{}, temporal.NewApplicationError("terminated", "x")))
	w.temporal.list = func(string) ([]*workflowpb.WorkflowExecutionInfo, error) { return all, nil }
	return w
}

func TestBackfillShow(t *testing.T) {
	t.Run("lists_those_that_have_ended_too", func(t *testing.T) {
		code, stdout, stderr := manyBackfills().line(t, "backfill show")
		require.Zero(t, code, stderr)
		golden(t, "backfill-show", stdout)
		code, stdout, stderr = manyBackfills().line(t, "backfill show pinflow.pipeline.backfill.2022-08-01.2022-08-03")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "failed: 2022-08-02\n  the first error: nowhere…")
	})

	t.Run("says_why_the_progress_is_unknown", func(t *testing.T) {
		w := manyBackfills()
		w.temporal.executions["pinflow.pipeline.backfill.2022-10-01.2022-10-10"].attempt = 5
		code, stdout, stderr := w.line(t, "backfill show")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "pinflow.pipeline.backfill.2022-10-01.2022-10-10: blocked\n  workflow task fails since")
		require.Contains(t, stdout, "2022-09-01   2022-09-30", "the others are listed")
	})
}

func TestBackfillWidth(t *testing.T) {
	t.Run("says_what_pools_keep_it_from_doing", func(t *testing.T) {
		w := newWorld()
		w.visible(t)
		_, stdout, _ := w.line(t, "backfill --from 2022-10-01 --to 2022-10-04 --parallel 8 --dry-run")
		require.Contains(t, stdout, "8 dates at a time: they wait for each other at pools with fewer slots: load (1), clean_pin (1), clean_geo (1), clean_user (1), query (1). "+
			"Different tasks of different dates work at the same time; the slowest task sets the pace. More than 5 dates have no effect: the pools have no more slots.\n")
		_, stdout, _ = w.line(t, "backfill --from 2022-10-01 --to 2022-10-04 --parallel 1 --dry-run")
		require.NotContains(t, stdout, "at a time")
	})
}
