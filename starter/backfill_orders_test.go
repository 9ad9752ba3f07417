package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// openBackfills lets one backfill be listed as underway.
func (w *world) openBackfills(ids ...string) {
	w.temporal.list = func(string) (all []*workflowpb.WorkflowExecutionInfo, _ error) {
		for _, id := range ids {
			w.temporal.add(id, &fakeExecution{runID: "r1", status: running, answers: []any{tenDays(4, 1, 0, "2022-10-06", "2022-10-07"), nil}})
			all = append(all, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "r1"}, Status: running})
		}
		return all, nil
	}
}

func TestBackfillOrders(t *testing.T) {
	t.Parallel()
	t.Run("commands_change_the_only_open_backfill", func(t *testing.T) {
		t.Parallel()
		for line, want := range map[string]struct {
			update string
			input  any
		}{
			"pause --reason full":         {run.PauseUpdate, run.Pause{By: "ann@desk", Reason: "full"}},
			"resume":                      {run.ResumeUpdate, run.Pause{By: "ann@desk", Reason: "no reason given"}},
			"parallel 8":                  {run.ParallelUpdate, 8},
			"cancel --reason wrong":       {run.StopUpdate, run.Stop{Pause: run.Pause{By: "ann@desk", Reason: "wrong"}}},
			"cancel --now --reason wrong": {run.StopUpdate, run.Stop{Pause: run.Pause{By: "ann@desk", Reason: "wrong"}, Now: true}},
		} {
			t.Run(line, func(t *testing.T) {
				w := newWorld()
				w.openBackfills("pinflow.pipeline.backfill.2022-10-01.2022-10-10")
				code, stdout, stderr := w.starter(t, append([]string{"backfill"}, strings.Fields(line)...)...)
				require.Zero(t, code, stderr)
				require.Equal(t, want.update, w.temporal.updates[0].UpdateName)
				require.Equal(t, []any{want.input}, w.temporal.updates[0].Args)
				require.Contains(t, stdout, "5 of 10 dates done (4 success, 1 failed, 0 skipped)")
				require.Contains(t, stdout, "running 2022-10-06 and 1 more")
			})
		}
	})

	t.Run("show_says_why_it_is_paused", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		progress := tenDays(4, 0, 0)
		progress.Paused = "ann@desk: the warehouse is full (of posts)"
		w.temporal.add("a", &fakeExecution{runID: "r1", status: running, answers: []any{progress}})
		code, stdout, stderr := w.starter(t, "backfill", "show", "a")
		require.Zero(t, code, stderr)
		require.Equal(t, "a: paused\n  4 of 10 dates done (4 success, 0 failed, 0 skipped), 2 at a time\n"+
			"  paused by ann@desk: the warehouse is full (of posts); `starter backfill resume` continues it\n  http://ui:8233/namespaces/default/workflows/a/r1\n", stdout)
	})

	t.Run("commands_refuse_the_backfill_of_another_deployment", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.add("dev.pipeline.backfill.2022-10-01.2022-10-10", &fakeExecution{runID: "r1", taskQueue: "dev", status: running, answers: []any{tenDays(4, 0, 0)}})
		for _, line := range []string{"show", "pause", "resume", "parallel 2", "cancel --now"} {
			args := append([]string{"backfill"}, strings.Fields(line)...)
			code, stdout, stderr := w.starter(t, append(args, "dev.pipeline.backfill.2022-10-01.2022-10-10")...)
			require.Equal(t, exit.Failed, code, line)
			require.Empty(t, stdout, line)
			require.Contains(t, stderr, "is of deployment dev, and the settings are of deployment pinflow: set PINFLOW_DEPLOYMENT", line)
		}
		require.Empty(t, w.temporal.updates)
	})

	t.Run("commands_need_one_open_backfill", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.openBackfills()
		code, _, stderr := w.starter(t, "backfill", "pause")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "no backfill is running")
		w.openBackfills("a", "b")
		code, _, stderr = w.starter(t, "backfill", "pause")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "name one of a, b")
		code, _, stderr = w.starter(t, "backfill", "parallel", "many")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "want 1 to 500")
		w.openBackfills()
		code, stdout, _ := w.starter(t, "backfill", "show")
		require.Zero(t, code)
		require.Contains(t, stdout, "No backfill is running")
	})

	t.Run("a_dry_run_decides_as_the_real_one", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		for date, state := range map[string]run.Status{"2022-10-01": good, "2022-10-02": bad} {
			state.Date = dates.Date(date)
			w.ledger(t, state)
		}
		w.temporal.list = func(query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
			require.Contains(t, query, "ExecutionStatus = 'Running'")
			return []*workflowpb.WorkflowExecutionInfo{listed(t, "2022-10-04", running, run.Running, false)}, nil
		}
		code, stdout, stderr := w.starter(t, "backfill", "--from", "2022-10-01", "--to", "2022-10-04", "--reprocess", "failed", "--dry-run")
		require.Zero(t, code, stderr)
		require.Equal(t, ""+
			"DATE         STATE     DECISION   WHY\n"+
			"2022-10-01   success   skip       has already run\n"+
			"2022-10-02   failed    run        failed; failed dates run again\n"+
			"2022-10-03   none      run        has not run yet\n"+
			"2022-10-04   running   run        is running; the backfill waits for that run\n\n"+
			"3 dates would run, 1 would be skipped. Nothing was started.\n", stdout)
		require.Empty(t, w.temporal.started)
	})
}
