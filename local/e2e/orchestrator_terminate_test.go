package e2e

import (
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// withPause makes runs begin with a timer: a worker with it cannot continue the runs of others.
func withPause(source string) string {
	const first = "\tin.Trigger = cmp.Or(in.Trigger, run.Manual)\n"
	return strings.Replace(source, first, "\t_ = workflow.Sleep(ctx, time.Millisecond)\n"+first, 1)
}

// requireTerminated requires that a date's run is recorded as terminated by the test, and its
// Databricks run as cancelled.
func (s *system) requireTerminated(date dates.Date, why string) {
	s.t.Helper()
	entry := s.ledger()[date]
	require.Equal(s.t, run.Cancelled, entry.State)
	require.Regexp(s.t, "^terminated( by .*)?: "+why+"$", entry.Error)
	require.Equal(s.t, jobs.RunResultStateCanceled, s.load(date).State.ResultState)
	require.Len(s.t, entry.Tasks, tasksOfDaily)
	for _, task := range entry.Tasks {
		require.Equal(s.t, []any{run.Cancelled, entry.Error}, []any{task.State, task.Error}, task.ID)
	}
	require.Equal(s.t, s.load(date).RunId, entry.Task("load").JobRunID)
	require.Equal(s.t, run.Cancelled, entry.Task("load").History[0].State)
	code, stdout, _ := s.starter("status", string(date))
	require.Equal(s.t, 1, code)
	require.Contains(s.t, stdout, entry.Error)
	for _, line := range []string{"runs", "grid", "calendar"} {
		require.NotContains(s.t, s.must(line), "not in the ledger", line)
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	// Nobody but Temporal can end a run whose workflow task fails on the workers of today.
	t.Run("a_blocked_run_ends_and_another_date_gets_its_slot", func(t *testing.T) {
		onShared.enter(t)
		buildEdited(t, "pause", "run.go", withPause)
		s := startTenant(t)
		c := s.temporal()
		stuck, waits := ago(2), ago(1)
		s.hang()
		s.must("run", string(stuck))
		s.eventually("the run knows of its Databricks run", func() bool { return s.statusOf(string(stuck)).Task("load").JobRunID != 0 })
		require.True(t, s.worker.stop())
		s.worker = s.start("pause/workers")
		s.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
		require.NoError(t, c.SignalWorkflow(t.Context(), s.deployment().WorkflowID(workflows.Daily.Name, stuck), "", "wake", nil))
		s.eventually("the run is blocked", func() bool { return strings.Contains(s.must("runs", "--state", "blocked"), string(stuck)) })
		s.must("run", string(waits))
		s.eventually("the other date waits", func() bool { return len(s.pools(c).Waiting) == 1 })
		s.must("notebooks", "push")

		code, stdout, stderr := s.starter("terminate", string(stuck), "--reason", "a build that cannot run it", "--yes")
		t.Logf("$ starter terminate\n%s%s", stdout, stderr)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Cancelled: Databricks run")
		require.Contains(t, stdout, "The run did not answer")
		s.requireTerminated(stuck, "a build that cannot run it")
		s.must("status", string(waits), "--watch")
		require.Equal(t, run.Success, s.statusOf(string(waits)).State)
		require.GreaterOrEqual(t, s.load(waits).StartTime, s.load(stuck).EndTime)
		s.must("rerun", string(stuck), "--failed", "--wait")
	})

	t.Run("a_run_ends_with_what_it_has_started", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		c := s.temporal()
		date, outside := ago(1), ago(2)
		s.hang()
		s.must("run", string(date))
		s.eventually("Databricks runs the notebook", func() bool { return s.loads(date) })
		s.eventually("the run knows of it", func() bool { return s.statusOf(string(date)).Task("load").JobRunID != 0 })
		code, stdout, stderr := s.starter("terminate", string(date), "--reason", "the wrong day", "--yes")
		t.Logf("$ starter terminate\n%s%s", stdout, stderr)
		require.Zero(t, code, stderr)
		require.NotContains(t, stdout, "did not answer")
		s.requireTerminated(date, "the wrong day")
		require.Empty(t, s.pools(c).Work)

		// In the Web UI it ends alone: the command does the rest.
		s.must("run", string(outside))
		s.eventually("Databricks runs the notebook", func() bool { return s.loads(outside) })
		s.eventually("the run knows of it", func() bool { return s.statusOf(string(outside)).Task("load").JobRunID != 0 })
		require.NoError(t, c.TerminateWorkflow(t.Context(), s.executions(c, outside)[0].Execution.WorkflowId, "", "in the Web UI"))
		for _, line := range []string{"runs", "grid", "calendar", "status " + string(outside)} {
			_, stdout, _ := s.starter(strings.Fields(line)...)
			require.Contains(t, stdout, "starter terminate", line)
		}
		require.True(t, s.loads(outside))
		require.Contains(t, s.must("terminate", string(outside), "--reason", "recorded", "--yes"), "had ended before")
		s.requireTerminated(outside, "in the Web UI")
		require.Contains(t, s.must("terminate", string(outside), "--reason", "again", "--yes"), "nothing was changed")

		s.must("notebooks", "push")
		s.must("rerun", string(date), "--failed", "--wait")
		entry := s.ledger()[date]
		require.Equal(t, []any{run.Success, 2, 2}, []any{entry.State, entry.Attempt, entry.Task("load").Tries})
	})

	t.Run("a_run_ends_without_a_worker", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		c := s.temporal()
		date := ago(1)
		s.hang()
		s.must("run", string(date))
		s.eventually("Databricks runs the notebook", func() bool { return s.loads(date) })
		s.eventually("the run knows of it", func() bool { return s.statusOf(string(date)).Task("load").JobRunID != 0 })
		s.worker.kill()
		code, stdout, stderr := s.starter("terminate", string(date), "--reason", "no worker left", "--yes")
		t.Logf("$ starter terminate\n%s%s", stdout, stderr)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "frees its slots as soon as a worker runs")
		s.requireTerminated(date, "no worker left")

		s.worker = s.start("workers")
		s.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
		s.eventually("the slot is free", func() bool { return len(s.pools(c).Work) == 0 })
		s.must("notebooks", "push")
		s.must("run", string(date), "--reprocess", "all", "--wait")
	})
}
