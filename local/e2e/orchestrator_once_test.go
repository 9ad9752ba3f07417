package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// requireRunOnce requires that the date has been run once, whoever asked: one execution, each task in one
// try and one Databricks run, which other dates may share, success in the ledger.
func (s *system) requireRunOnce(c client.Client, days ...dates.Date) {
	s.t.Helper()
	ledger := s.ledger()
	require.Len(s.t, ledger, len(days))
	wanted := map[int64][]dates.Date{} // the dates of a Databricks run
	for _, date := range days {
		executions := s.executions(c, date)
		require.Len(s.t, executions, 1, date)
		require.Equal(s.t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, executions[0].Status, date)
		entry := ledger[date]
		require.Equal(s.t, run.Success, entry.State, date)
		require.Equal(s.t, 1, entry.Attempt, date)
		require.Equal(s.t, executions[0].Execution.RunId, entry.RunID, date)
		for _, task := range entry.Tasks {
			require.Equal(s.t, 1, task.Tries, "%s %s", date, task.ID)
			wanted[task.JobRunID] = append(wanted[task.JobRunID], date)
			if len(task.Together) > 0 {
				require.Contains(s.t, task.Together, date)
				continue
			}
			require.Len(s.t, wanted[task.JobRunID], 1, "%s %s", date, task.ID)
		}
	}
	for name, runs := range s.databricksRuns() {
		for _, r := range runs {
			require.NotEmpty(s.t, wanted[r.RunId], "%s is the run of no date", name)
			delete(wanted, r.RunId)
		}
	}
	require.Empty(s.t, wanted, "dates without their runs")
}

// ledger reads the entries of all dates of a tenant, past Temporal.
func (s *system) ledger() map[dates.Date]ledger.Entry {
	s.t.Helper()
	objects, err := s3.New(s.t.Context(), config.Config{Deployment: s.deployment(), Bucket: s.setting("PINFLOW_BUCKET"), S3PathStyle: true})
	require.NoError(s.t, err)
	l := ledger.Ledger{Objects: objects}
	entries, err := l.Entries(s.t.Context(), ledger.Query{DAG: workflows.Daily.Name, From: ago(1000), To: ago(0)})
	require.NoError(s.t, err)
	byDate := map[dates.Date]ledger.Entry{}
	for _, entry := range entries {
		byDate[entry.Date] = entry
	}
	return byDate
}

// open counts the workflows of a type that have not ended.
func (s *system) open(c client.Client, workflow string) int64 {
	s.t.Helper()
	answer, err := c.CountWorkflow(s.t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", workflow),
	})
	require.NoError(s.t, err)
	return answer.Count
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	// The Schedule, an operator and a backfill that ask for the same date at the same moment get
	// one run, whoever is first.
	t.Run("asked_for_by_three_at_once_is_one", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.must("schedule", "apply")
		c := s.temporal()
		var days []dates.Date
		for round := range 6 {
			date := ago(1 + round)
			days = append(days, date)
			var asked []*process
			ask := []func(){
				func() { s.fire(c, date) },
				func() {
					asked = append(asked, s.start("starter", "run", string(date), "--wait", "--dag", workflows.Daily.Name))
				},
				func() {
					asked = append(asked, s.start("starter", "backfill", "--from", string(date), "--to", string(date), "--wait", "--dag", workflows.Daily.Name))
				},
			}
			for i := range ask {
				ask[(round+i)%len(ask)]()
			}
			for _, p := range asked {
				<-p.done
				require.Zero(t, p.cmd.ProcessState.ExitCode(), "%v\n%s", p.cmd.Args, p.output)
			}
			s.eventually("all who asked have ended", func() bool { return s.open(c, run.RangeWorkflow)+s.open(c, run.RunWorkflow) == 0 })
		}
		s.requireRunOnce(c, days...)
		// The three were really at it: each round has a range of the Schedule's, and one of the
		// backfill's.
		answer, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Completed'", run.RangeWorkflow),
		})
		require.NoError(t, err)
		require.EqualValues(t, 2*len(days), answer.Count)
	})
}

// A worker that is killed in the middle of a backfill changes nothing: each date runs once, nothing
// runs twice on Databricks, and the answers are the same.
func TestBackfillOfAKilledWorker(t *testing.T) {
	const days = 20
	s := startTenant(t)
	s.post(wire.lines(t), 0, 1)
	c := s.temporal()
	from, to := ago(days-1), ago(0) // the records are today's
	s.must("backfill", "--from", string(from), "--to", string(to), "--parallel", "4")
	s.eventually("some dates are done", func() bool { return s.progress(c, from, to).Done() >= 6 })
	s.worker.kill()
	s.worker = s.start("workers")
	t.Parallel() // the rest is waiting: see lanes_test.go
	s.eventually("the backfill has ended", func() bool { return s.open(c, run.RangeWorkflow) == 0 })
	progress := s.progress(c, from, to)
	require.Equal(t, days, progress.Success)
	var all []dates.Date
	for date := from; date <= to; date = date.Add(1) {
		all = append(all, date)
	}
	s.requireRunOnce(c, all...)
	requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
}
