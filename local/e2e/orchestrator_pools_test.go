package e2e

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/run"
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
}
