package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/workflows"
)

// deploy starts another deployment beside the system, in the same namespace, workspace and bucket,
// with the same topics and gateway, and with a worker of its own. Only its name is set.
func (s *system) deploy(name run.Deployment) *system {
	s.t.Helper()
	other := newSystem(s.t)
	other.stack, other.gate = s.stack, s.gate
	other.env = append(slices.Clone(s.env), "PINFLOW_DEPLOYMENT="+string(name), "PINFLOW_WORKER_ADDRESS=127.0.0.1:"+port(s.t, 9464, other.offset))
	other.must("setup")
	other.worker = other.start("workers")
	other.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
	return other
}

// slow makes the notebook load take some seconds more.
func (s *system) slow() {
	s.t.Helper()
	all := notebooks.All()
	i := slices.IndexFunc(all, func(n notebooks.Notebook) bool { return n.Name == "load" })
	s.breakNotebook("load", all[i].Source+"\n-- COMMAND ----------\n\nSELECT sleep_ms(4000);\n")
}

// hang makes the notebook load take an hour.
func (s *system) hang() {
	s.breakNotebook("load", "-- Databricks notebook source\nSELECT sleep_ms(3600000)")
}

// load is the Databricks run of the first try of load; nil if there is none.
func (s *system) load(date dates.Date) *jobs.BaseRun {
	s.t.Helper()
	runs := s.databricksRuns()[s.deployment().JobRunName(workflows.Daily.Name, date, "load", 1)]
	require.LessOrEqual(s.t, len(runs), 1)
	if len(runs) == 0 {
		return nil
	}
	return &runs[0]
}

// loads reports whether Databricks runs the notebook load for the date.
func (s *system) loads(date dates.Date) bool {
	s.t.Helper()
	load := s.load(date)
	return load != nil && load.Status.State == jobs.RunLifecycleStateV2StateRunning
}

// listed returns the workflow ids that `starter runs` lists.
func (s *system) listed() (ids []string) {
	s.t.Helper()
	var rows []struct{ WorkflowID string }
	require.NoError(s.t, json.Unmarshal([]byte(s.must("runs", "-o", "json")), &rows))
	for _, row := range rows {
		ids = append(ids, row.WorkflowID)
	}
	slices.Sort(ids)
	return ids
}

// running returns the dates that the overview of `starter status` shows as running, and its
// backfills.
func (s *system) running() (all []dates.Date, backfills []string) {
	s.t.Helper()
	var overview struct {
		Running   []struct{ Date dates.Date }
		Backfills []struct{ WorkflowID string }
	}
	require.NoError(s.t, json.Unmarshal([]byte(s.must("status", "-o", "json")), &overview))
	for _, row := range overview.Running {
		all = append(all, row.Date)
	}
	for _, row := range overview.Backfills {
		backfills = append(backfills, row.WorkflowID)
	}
	return all, backfills
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	// Two deployments whose names begin alike share everything that can be shared, and run the same
	// dates of the same DAG at the same time.
	t.Run("share_all_systems_and_do_not_meet", func(t *testing.T) {
		onShared.enter(t)
		prod := startTenant(t)
		dev := prod.deploy(prod.deployment() + "-dev")
		both := []*system{prod, dev}
		prod.post(wire.lines(t), 0, 1)
		now, before := ago(0), ago(1)

		for _, s := range both {
			s.slow()
			s.must("run", string(now))
		}
		prod.eventually("both load the same date at the same time", func() bool { return prod.loads(now) && dev.loads(now) })
		for _, s := range both {
			s.must("status", string(now), "--watch")
			runs := s.databricksRuns()
			require.Len(t, runs, tasksOfDaily, "each task once")
			for name, tries := range runs {
				require.Len(t, tries, 1, name)
				require.Equal(t, jobs.RunResultStateSuccess, tries[0].State.ResultState, "%s was not cancelled by the other deployment", name)
			}
			requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
		}

		for _, s := range both {
			s.hang()
		}
		prod.must("run", string(before))
		dev.must("backfill", "--from", string(before), "--to", string(before))
		prod.eventually("both load the day before", func() bool { return prod.loads(before) && dev.loads(before) })
		backfill := dev.deployment().RangeWorkflowID(workflows.Daily.Name, before, before)
		for _, s := range both {
			require.Equal(t, []string{s.deployment().WorkflowID(workflows.Daily.Name, before), s.deployment().WorkflowID(workflows.Daily.Name, now)}, s.listed())
			running, backfills := s.running()
			require.Equal(t, []dates.Date{before}, running)
			require.Equal(t, s == dev, slices.Equal([]string{backfill}, backfills), "%v", backfills)
		}
		require.Contains(t, prod.must("backfill", "show"), "No backfill is running")
		for _, order := range [][]string{{"show", backfill}, {"pause", backfill}, {"cancel", backfill, "--now"}, {"parallel", "2", backfill}} {
			code, _, stderr := prod.starter(append([]string{"backfill"}, order...)...)
			require.Equal(t, 1, code, stderr)
			require.Contains(t, stderr, "is of deployment "+string(dev.deployment()))
		}
		code, _, stderr := prod.starter("backfill", "pause")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "no backfill is running")

		prod.must("cancel", string(before), "--reason", "the wrong day")
		prod.eventually("the run of one has ended", func() bool { return !prod.statusOf(string(before)).Ended.IsZero() })
		require.True(t, dev.loads(before), "the run of the other goes on")
		require.Equal(t, run.Running, dev.statusOf(string(before)).State)
		require.Equal(t, jobs.RunResultStateCanceled, prod.load(before).State.ResultState)

		ledgers := []map[dates.Date]run.State{}
		for _, s := range both {
			states := map[dates.Date]run.State{}
			for date, entry := range s.ledger() {
				states[date] = entry.State
				require.Equal(t, s.deployment().WorkflowID(workflows.Daily.Name, date), entry.WorkflowID)
			}
			ledgers = append(ledgers, states)
		}
		require.Equal(t, []map[dates.Date]run.State{{now: run.Success, before: run.Cancelled}, {now: run.Success}}, ledgers)

		// A run that was reset, and the child of a backfill, are found by their deployment, too.
		prod.must("notebooks", "push")
		prod.reset(now)
		prod.must("status", string(now), "--watch")
		again := slices.DeleteFunc(prod.listed(), func(id string) bool { return !strings.HasSuffix(id, string(now)) })
		require.Len(t, again, 2, "the run and its reset")
		require.Len(t, dev.listed(), 2)
		dev.must("backfill", "cancel", "--now", "--reason", "seen enough")
		dev.eventually("the backfill has ended", func() bool { _, backfills := dev.running(); return len(backfills) == 0 })
		require.Equal(t, jobs.RunResultStateCanceled, dev.load(before).State.ResultState)
	})
}

// reset resets the run of a date to its beginning, as the Web UI does.
func (s *system) reset(date dates.Date) {
	s.t.Helper()
	c := s.temporal()
	id := s.deployment().WorkflowID(workflows.Daily.Name, date)
	_, err := c.ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         s.setting("TEMPORAL_NAMESPACE"),
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: s.executions(c, date)[0].Execution.RunId},
		Reason:            "the table was lost", WorkflowTaskFinishEventId: 4, RequestId: id,
	})
	require.NoError(s.t, err)
}
