package e2e

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// resetBefore resets the latest run of a date to before it requested the work of a task, as the Web
// UI does; to its beginning without a task.
func (s *system) resetBefore(date dates.Date, task string) {
	s.t.Helper()
	c := s.temporal()
	id := s.deployment().WorkflowID(workflows.Daily.Name, date)
	runID := s.executions(c, date)[0].Execution.RunId
	var to int64
	for _, event := range s.history(c, id, runID) {
		if event.GetWorkflowTaskCompletedEventAttributes() != nil {
			if to == 0 || task != "" {
				to = event.EventId
			}
		}
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil && task != "" && a.ActivityId == task+"-try-1" {
			break
		}
	}
	s.resetTo(id, runID, to)
}

// resetTo resets a run of a workflow to the end of a workflow task.
func (s *system) resetTo(workflowID, runID string, event int64) {
	s.t.Helper()
	_, err := s.temporal().ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         s.setting("TEMPORAL_NAMESPACE"),
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
		Reason:            "records came later", WorkflowTaskFinishEventId: event, RequestId: runID,
	})
	require.NoError(s.t, err)
}

// results are the results of the Databricks runs of the first try of a task, the oldest first.
func (s *system) results(date dates.Date, task string) (all []jobs.RunResultState) {
	s.t.Helper()
	runs := s.databricksRuns()[s.deployment().JobRunName(workflows.Daily.Name, date, task, 1)]
	for i := len(runs) - 1; i >= 0; i-- { // listed with the latest first
		all = append(all, runs[i].State.ResultState)
	}
	return all
}

func TestReset(t *testing.T) {
	t.Parallel()
	const success, failed, canceled = jobs.RunResultStateSuccess, jobs.RunResultStateFailed, jobs.RunResultStateCanceled
	waitFor := func(s *system, date dates.Date) {
		s.eventually("the run has succeeded", func() bool {
			latest := s.executions(s.temporal(), date)[0]
			return latest.CloseTime != nil && s.statusOf(string(date)).State == run.Success && s.statusOf(string(date)).RunID == latest.Execution.RunId
		})
	}

	// The Databricks runs of before have not seen what has landed since: none of them counts.
	t.Run("a_run_that_ended_well_runs_again_from_its_beginning", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		date := ago(1)
		s.must("run", string(date), "--wait")
		s.resetBefore(date, "")
		waitFor(s, date)
		for _, task := range workflows.Daily.DAG {
			require.Equal(t, []jobs.RunResultState{success, success}, s.results(date, task.ID), task.ID)
		}
	})

	t.Run("a_task_that_ended_badly_runs_again_and_its_parents_do_not", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		date := ago(1)
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT * FROM nowhere")
		code, _, _ := s.starter("run", string(date), "--wait")
		require.Equal(t, 1, code)
		s.must("notebooks", "push")
		s.resetBefore(date, "clean_geo")
		waitFor(s, date)
		require.Equal(t, []jobs.RunResultState{failed, success}, s.results(date, "clean_geo"))
		require.Equal(t, []jobs.RunResultState{success}, s.results(date, "load"))
		require.Equal(t, []jobs.RunResultState{success}, s.results(date, "query"))
	})

	// Once the request was just sent, once its work has begun: the first work ends before the second
	// begins, and the pool is free afterwards.
	t.Run("a_databricks_run_in_progress_is_replaced", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		date := ago(1)
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT sleep_ms(3600000)")
		s.must("run", string(date))
		started := func(runs int) {
			s.eventually("Databricks runs the notebook", func() bool {
				all := s.databricksRuns()[s.deployment().JobRunName(workflows.Daily.Name, date, "clean_geo", 1)]
				return len(all) == runs && all[0].Status.State == jobs.RunLifecycleStateV2StateRunning
			})
		}
		started(1)
		s.resetBefore(date, "clean_geo")
		started(2)
		require.Equal(t, canceled, s.results(date, "clean_geo")[0])
		s.eventually("the run knows of it", func() bool { return s.statusOf(string(date)).Task("clean_geo").State == run.Running })
		s.must("notebooks", "push")
		s.resetBefore(date, "query") // its latest workflow task: all requests are in progress or answered
		waitFor(s, date)
		require.Equal(t, []jobs.RunResultState{canceled, canceled, success}, s.results(date, "clean_geo"))
		require.Equal(t, []jobs.RunResultState{success}, s.results(date, "load"))
		s.must("run", string(ago(2)), "--wait")
	})
}
