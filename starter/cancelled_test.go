package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
)

// cancelled is a run that was cancelled while it cleaned.
var cancelled = func() run.Status {
	stopped := func(tries int, why string) run.Task {
		task := run.Task{State: run.Cancelled, Tries: tries, Ended: at(30), Error: why}
		if tries > 0 {
			task.Started = at(12)
			task.History = []run.Try{{Number: 1, State: run.Cancelled, Started: at(12), Ended: at(30), Error: why}}
		}
		return task
	}
	const interrupted = "the run was cancelled"
	const kept = interrupted + " before the task started"
	r := startertest.RunOf(run.Cancelled, startertest.Loaded(), stopped(1, interrupted), stopped(1, interrupted), stopped(1, interrupted), stopped(0, kept))
	r.Ended, r.Error = at(30), "cancelled"
	return r
}()

func TestCancelled(t *testing.T) {
	t.Run("is_a_state_in_every_view", func(t *testing.T) {
		w := fortnight(t)
		entry := ledger.Entry{Status: cancelled, Attempt: 1}
		entry.Date, entry.WorkflowID, entry.Started, entry.RunID = "2022-10-17", "pinflow.pipeline.2022-10-17", at(-24*3600), "c1"
		w.record(t, entry)
		for line, want := range map[string]string{
			"status 2022-10-17": "pipeline of 2022-10-17: cancelled",
			"grid":              "⊘ cancelled",
			"gantt 2022-10-17":  "⊘ cancelled",
			"graph 2022-10-17":  "⊘ cancelled",
			"calendar":          "⊘ 1 cancelled",
			"status":            "2022-10-17  cancelled  its run was cancelled\n",
			"backfill --from 2022-10-17 --to 2022-10-17 --dry-run":                    "2022-10-17   cancelled   skip",
			"backfill --from 2022-10-17 --to 2022-10-17 --dry-run --reprocess failed": "2022-10-17   cancelled   run",
		} {
			_, stdout, stderr := w.line(t, line)
			require.Contains(t, stdout, want, "%s\n%s", line, stderr)
		}
	})

	t.Run("is_not_a_run_that_failed_or_was_ended_from_outside", func(t *testing.T) {
		w := newWorld()
		open := underway
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, closed: at(40), answers: []any{open}})
		code, stdout, _ := w.starter(t, "status", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "pipeline of 2022-10-18: cancelled")
		require.NotContains(t, stdout, "ended from outside")
	})

	t.Run("is_what_a_rerun_of_failed_tasks_runs_again", func(t *testing.T) {
		w := newWorld()
		w.ledger(t, cancelled)
		w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
			return &fakeExecution{runID: "r2"}, nil
		}
		code, _, stderr := w.starter(t, "rerun", "2022-10-18", "--failed")
		require.Zero(t, code, stderr)
		require.Equal(t, []string{"clean_pin", "clean_geo", "clean_user", "query"}, w.temporal.started[0].(run.Input).RerunTasks)
	})
}
