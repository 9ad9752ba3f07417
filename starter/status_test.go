package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/pinflow/pinflow/starter/exit"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	t.Run("shows_a_run", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		partial := underway
		partial.Partial = true
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{partial}, pending: []*workflowpb.PendingActivityInfo{
			{ActivityType: &commonpb.ActivityType{Name: "WaitNotebook"}, Attempt: 1},
			{ActivityType: &commonpb.ActivityType{Name: "PlanLanding"}, Attempt: 4, LastFailure: &failurepb.Failure{Message: "Kafka does not answer"}},
		}})
		code, stdout, stderr := w.starter(t, "status", "2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "status-running", stdout)
	})

	t.Run("ends_with_one_for_a_failed_run", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: failed, closed: at(75), answers: []any{bad}})
		code, stdout, _ := w.starter(t, "status", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "[TABLE_OR_VIEW_NOT_FOUND] nowhere")
	})

	t.Run("knows_a_run_that_temporal_has_forgotten", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ledger(t, good)
		code, stdout, _ := w.starter(t, "status", "2022-10-18")
		require.Zero(t, code)
		require.Contains(t, stdout, "pipeline of 2022-10-18: success (manual, 1m15s)")
		require.Regexp(t, `query +success +1`, stdout)

		code, _, stderr := w.starter(t, "status", "2022-10-17")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "2022-10-17 has not run yet: start it with `starter run 2022-10-17`")
	})

	t.Run("says_who_is_missing_if_no_worker_answers", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.queryErr = serviceerror.NewDeadlineExceeded("query timed out")
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running})
		code, _, stderr := w.starter(t, "status", "2022-10-18")
		require.Equal(t, exit.Unreachable, code)
		require.Contains(t, stderr, "no worker answers on task queue pinflow")

		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: completed, closed: at(75)})
		w.ledger(t, good) // an ended run needs no worker to be known
		code, stdout, _ := w.starter(t, "status", "2022-10-18")
		require.Zero(t, code)
		require.Contains(t, stdout, "success")
	})

	t.Run("tells_a_run_that_was_ended_from_outside", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, closed: at(40), answers: []any{underway}})
		code, stdout, _ := w.starter(t, "status", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "the run was ended from outside: terminated")
	})

	t.Run("watches_until_the_end", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{underway, underway, bad}})
		code, stdout, stderr := w.starter(t, "status", "2022-10-18", "--watch")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "query        upstream_failed")
		require.Contains(t, stdout, "clean_geo failed after 2 tries")
	})
}
