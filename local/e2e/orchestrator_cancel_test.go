package e2e

import (
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	// An order to cancel that is given while no worker is up is carried out when one is: the
	// Databricks run that goes on meanwhile is cancelled, and no other is started.
	// The worker dies before it can say which Databricks run it has started.
	t.Run("given_while_a_notebook_starts", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.hang()
		date := ago(1)
		s.must("run", string(date))
		s.eventually("Databricks has the run", func() bool { return s.load(date) != nil })
		s.worker.kill()
		s.must("cancel", string(date), "--reason", "the wrong day")
		s.worker = s.start("workers")
		c := s.temporal()
		s.eventually("the run has ended", func() bool { return s.executions(c, date)[0].CloseTime != nil })
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, s.executions(c, date)[0].Status)
		require.Len(t, s.databricksRuns(), 1)
		require.Equal(t, jobs.RunResultStateCanceled, s.load(date).State.ResultState)
	})

	t.Run("given_while_the_worker_is_down", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.breakNotebook("load", "-- Databricks notebook source\nSELECT sleep_ms(3600000)")
		date := ago(1)
		s.must("run", string(date))
		load := s.deployment().JobRunName(workflows.Daily.Name, date, "load", 1)
		state := func() jobs.RunLifecycleStateV2State {
			runs := s.databricksRuns()[load]
			if len(runs) != 1 {
				return ""
			}
			return runs[0].Status.State
		}
		s.eventually("Databricks runs the notebook", func() bool { return state() == jobs.RunLifecycleStateV2StateRunning })
		s.eventually("the run knows of it", func() bool { return s.statusOf(string(date)).Task("load").JobRunID != 0 })
		s.worker.kill()
		s.must("cancel", string(date), "--reason", "the wrong day")
		require.Equal(t, jobs.RunLifecycleStateV2StateRunning, state(), "no worker is running to cancel it")

		s.worker = s.start("workers")
		c := s.temporal()
		s.eventually("the run has ended", func() bool {
			runs := s.executions(c, date)
			return len(runs) == 1 && runs[0].CloseTime != nil
		})
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, s.executions(c, date)[0].Status)
		runs := s.databricksRuns()
		require.Len(t, runs, 1, "no task was started after the order: %v", runs)
		require.Len(t, runs[load], 1)
		require.Equal(t, jobs.RunResultStateCanceled, runs[load][0].State.ResultState)

		status := s.statusOf(string(date))
		require.Equal(t, run.Cancelled, status.State)
		for _, task := range status.Tasks {
			require.Equal(t, run.Cancelled, task.State, task.ID)
			require.Contains(t, task.Error, "the run was cancelled", task.ID)
		}
		for _, line := range []string{"runs --state cancelled", "grid", "calendar", "backfill --from " + string(date) + " --to " + string(date) + " --dry-run"} {
			require.Contains(t, s.must(strings.Fields(line)...), "cancelled", line)
		}
		require.Contains(t, s.must("runs", "--from", string(date), "--to", string(date)), string(date), "the last date is included")
	})
}
