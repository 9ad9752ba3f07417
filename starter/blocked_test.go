package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// blocked is the world of a fortnight whose run of 2022-10-17 is blocked.
func blocked(t *testing.T) *world {
	w := fortnight(t)
	status := underway
	status.Started = noon.Add(-40 * time.Second)
	w.visible(t,
		visibleRun{date: "2022-10-18", runID: "r1", status: running, started: status.Started, answer: &status},
		visibleRun{date: "2022-10-17", runID: "b1", status: running, started: noon.Add(-time.Hour), answer: &status},
	)
	stuck := w.temporal.executions["pinflow.pipeline.2022-10-17"]
	stuck.attempt = 7
	stuck.history = []*historypb.HistoryEvent{{
		EventTime: timestamppb.New(noon.Add(-2 * time.Minute)),
		Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			Cause:   enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
			Failure: &failurepb.Failure{Message: "[TMPRL1100] nondeterministic workflow: history event is ActivityTaskScheduled\nstack"},
		}},
	}}
	return w
}

func TestBlocked(t *testing.T) {
	const why = "workflow task fails since 2022-10-19 11:58 UTC, attempt 7: [TMPRL1100] nondeterministic workflow: history event is ActivityTaskScheduled…"
	const wayOut = "Deploy workers of a build that can run it, or end it with `starter terminate 2022-10-17 --reason text`."

	t.Run("is_a_state_in_every_view_and_breaks_none", func(t *testing.T) {
		for line, c := range map[string]struct {
			code int
			want []string
		}{
			"status":                     {0, []string{"2022-10-17  blocked    " + why, "starter terminate 2022-10-17 --reason text", "2022-10-17   blocked   manual    1h00m   " + why, "2022-10-18   running"}},
			"status 2022-10-17":          {exit.Failed, []string{"pipeline of 2022-10-17: blocked (manual, 1h00m)\nblocked: " + why + "\n" + wayOut}},
			"runs":                       {0, []string{"2022-10-17   blocked", "2022-10-18   running", "2022-10-17 is blocked: " + why}},
			"runs --state blocked":       {0, []string{"2022-10-17   blocked"}},
			"grid":                       {0, []string{"# blocked", "✓ success", "2022-10-17 is blocked: " + why}},
			"calendar":                   {0, []string{"# 1 blocked", "2022-10-17 is blocked: " + why}},
			"gantt 2022-10-17":           {0, []string{"2022-10-17: blocked", why, wayOut}},
			"graph 2022-10-17":           {0, []string{"2022-10-17: blocked", why, wayOut, "query"}},
			"logs 2022-10-17":            {0, nil},
			"diff 2022-10-16 2022-10-17": {0, []string{"blocked"}},
			"doctor":                     {exit.Failed, []string{"FAIL  Temporal   blocked runs       pinflow.pipeline.2022-10-17 is blocked: " + why + ". " + wayOut}},
			"backfill --from 2022-10-16 --to 2022-10-18 --reprocess all --dry-run": {0, []string{"2022-10-17   blocked   run        is blocked; the backfill waits for that run"}},
		} {
			t.Run(line, func(t *testing.T) {
				w := blocked(t)
				w.runs = &fakeJobs{}
				code, stdout, stderr := w.line(t, line)
				require.Equal(t, c.code, code, stderr)
				for _, want := range c.want {
					require.Contains(t, stdout, want)
				}
				require.NotRegexp(t, "no worker (answers|polls)", stdout+stderr)
			})
		}
		code, stdout, _ := blocked(t).line(t, "runs --state running -o json")
		require.Zero(t, code)
		require.NotContains(t, stdout, "2022-10-17")
	})

	t.Run("is_in_json_with_the_way_out", func(t *testing.T) {
		_, stdout, _ := blocked(t).line(t, "status 2022-10-17 -o json")
		var printed history.Run
		require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
		require.Equal(t, run.Blocked, printed.State)
		require.EqualValues(t, 7, printed.Blocked.Attempt)
		require.Equal(t, "NonDeterministicError", printed.Blocked.Cause)
		require.Equal(t, wayOut, printed.WayOut)
	})

	t.Run("rejects_changes_with_the_way_out", func(t *testing.T) {
		for _, line := range []string{"pause 2022-10-17", "task retry 2022-10-17 load --reason x", "rerun 2022-10-17 --failed"} {
			code, _, stderr := blocked(t).line(t, line)
			require.Equal(t, exit.Failed, code)
			require.Contains(t, stderr, "pinflow.pipeline.2022-10-17 is blocked: "+why+"\n"+wayOut, line)
		}
		w := blocked(t)
		code, _, stderr := w.line(t, "cancel 2022-10-17")
		require.Zero(t, code)
		require.Len(t, w.temporal.cancels, 1, "Temporal keeps the request")
		require.Contains(t, stderr, "is cancelled as soon as a worker can run it. Until then it is blocked: "+why+"\n"+wayOut)
	})

	t.Run("does_not_include_a_worker_that_is_being_replaced", func(t *testing.T) {
		w := blocked(t)
		w.temporal.executions["pinflow.pipeline.2022-10-17"].attempt = 2
		code, stdout, _ := w.line(t, "runs --state blocked")
		require.Zero(t, code)
		require.Contains(t, stdout, "No such runs")
	})

	// A backfill is a workflow, too.
	t.Run("backfills_can_be_blocked", func(t *testing.T) {
		w := busy(t)
		w.temporal.executions["pinflow.pipeline.backfill.2022-10-01.2022-10-10"].attempt = 4
		code, stdout, stderr := w.line(t, "status")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "pinflow.pipeline.backfill.2022-10-01.2022-10-10, for 1h00m, blocked: workflow task fails since")
		require.NotContains(t, stdout, "NOT KNOWN")
	})
}
