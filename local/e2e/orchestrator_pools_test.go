package e2e

import (
	"slices"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// pools asks the Pools workflow for its state.
func (s *system) pools(c client.Client) (state run.PoolsState) {
	s.t.Helper()
	answer, err := c.QueryWorkflow(s.t.Context(), s.deployment().PoolsID(), "", run.PoolsQuery)
	require.NoError(s.t, err)
	require.NoError(s.t, answer.Get(&state))
	return state
}

func TestPools(t *testing.T) {
	t.Parallel()
	// The Databricks run of a terminated run ends before that of the next date begins: both write
	// the same tables.
	t.Run("cancel_the_work_of_a_terminated_run_before_the_next_begins", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		c := s.temporal()
		dead, alive := ago(2), ago(1)
		s.hang()
		s.must("run", string(dead))
		s.eventually("the first is at work", func() bool { return s.loads(dead) })
		s.must("run", string(alive))
		s.eventually("the second waits", func() bool { return len(s.pools(c).Waiting) == 1 })
		s.must("notebooks", "push")
		require.NoError(t, c.TerminateWorkflow(t.Context(), s.executions(c, dead)[0].Execution.WorkflowId, "", "in the Web UI"))
		s.must("status", string(alive), "--watch")
		require.Equal(t, run.Success, s.statusOf(string(alive)).State)
		first, second := s.load(dead), s.load(alive)
		require.Equal(t, jobs.RunResultStateCanceled, first.State.ResultState)
		require.GreaterOrEqual(t, second.StartTime, first.EndTime)
	})

	// A worker starts the workflow again, which then knows what was at work: nothing starts twice,
	// and nothing starts beside it.
	t.Run("find_their_work_again_after_they_were_terminated", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		c := s.temporal()
		working, waiting := ago(2), ago(1)
		s.hang()
		s.must("run", string(working))
		s.eventually("the first is at work", func() bool { return s.statusOf(string(working)).Task("load").State == run.Running })
		s.must("run", string(waiting))
		s.eventually("the second waits", func() bool { return len(s.pools(c).Waiting) == 1 })
		job := s.statusOf(string(working)).Task("load").JobRunID
		require.NoError(t, c.TerminateWorkflow(t.Context(), s.deployment().PoolsID(), "", "by mistake"))
		s.eventually("the successor has taken over", func() bool {
			pools, err := c.DescribeWorkflowExecution(t.Context(), s.deployment().PoolsID(), "")
			require.NoError(t, err)
			if pools.GetWorkflowExecutionInfo().GetCloseTime() != nil {
				return false
			}
			state := s.pools(c)
			return state.Rebuilt && len(state.Work) == 1 && state.Work[0].JobRunID == job && len(state.Waiting) == 1
		})
		require.True(t, s.loads(working))
		require.Nil(t, s.load(waiting))

		s.must("notebooks", "push")
		s.must("cancel", string(working), "--reason", "seen enough")
		s.must("status", string(waiting), "--watch")
		require.Equal(t, run.Success, s.statusOf(string(waiting)).State)
		require.Equal(t, jobs.RunResultStateCanceled, s.load(working).State.ResultState)
	})
	// docs/operations.md says not to: work in progress may take another try. But no run is lost, and
	// what has ended is not done again.
	t.Run("end_all_runs_after_they_were_reset", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		c := s.temporal()
		done, working, waiting := ago(3), ago(2), ago(1)
		s.must("run", string(done), "--wait")
		s.breakNotebook("load", "-- Databricks notebook source\nSELECT sleep_ms(5000)")
		s.must("run", string(working))
		s.eventually("the first is at work", func() bool { return s.loads(working) })
		s.must("run", string(waiting))
		s.eventually("the second waits", func() bool { return len(s.pools(c).Waiting) == 1 })
		id := s.deployment().PoolsID()
		pools, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		runID := pools.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		events := s.history(c, id, runID)
		first := slices.IndexFunc(events, func(e *historyEvent) bool { return e.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED })
		s.resetTo(id, runID, events[first].EventId)
		for _, date := range []dates.Date{working, waiting} {
			s.must("status", string(date), "--watch")
			require.Equal(t, run.Success, s.statusOf(string(date)).State)
		}
		for _, task := range workflows.Daily.DAG {
			require.Equal(t, []jobs.RunResultState{jobs.RunResultStateSuccess}, s.results(done, task.ID), task.ID)
		}
	})
}
