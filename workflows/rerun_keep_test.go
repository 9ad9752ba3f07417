package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/workflows/operators"
)

// succeeded returns the ledger entry of a run of daily that succeeded with these settings.
func succeeded(status run.Status) ledger.Entry {
	for _, id := range daily().IDs() {
		status.Tasks = append(status.Tasks, run.Task{ID: id, State: run.Success, Tries: 1})
	}
	return ledger.Entry{Status: status}
}

func TestRerunKeeps(t *testing.T) {
	prior := succeeded(run.Status{Date: someDay, Params: map[string]string{"invalid_followers": "null"}, Tags: []string{"repair"}, Hold: true, RunTimeout: 3 * time.Hour})

	t.Run("what_the_date_ran_with", func(t *testing.T) {
		var seen map[string]string
		var tags []string
		var rejected []string
		p := play(t, daily(func(d dag.DAG) {
			d[4].Do = does(func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
				seen = try.Params
				tags, _ = workflow.GetTypedSearchAttributes(ctx).GetKeywordList(search.Tags)
				return bad(ctx, try)
			})
		}), run.Input{RerunTasks: dag.Tasks{"query"}, Tags: []string{"again"}}, priorRun(prior), func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				require.Equal(t, run.Held, queryStatus(t, env).State, "hold is kept")
				decide(env, run.Decision{Task: "query", Choice: run.SkipTask, Reason: "x"}, &rejected)
			}, time.Hour)
		})
		require.NoError(t, p.err)
		require.Equal(t, map[string]string{"invalid_followers": "null"}, seen)
		require.Equal(t, []string{"repair", "again"}, tags, "runs --tag finds it")
		require.Equal(t, seen, p.entry.Params)
		require.Equal(t, []string{"repair", "again"}, p.entry.Tags)
		require.True(t, p.entry.Hold)
		require.Equal(t, 3*time.Hour, p.entry.RunTimeout)
	})

	t.Run("the_run_timeout", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[4].Do = takes(5 * time.Hour) }), run.Input{RerunTasks: dag.Tasks{"query"}}, priorRun(prior))
		require.ErrorContains(t, p.err, "timed out after 3h0m0s")
	})

	t.Run("unless_the_input_drops_it", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[4].Do, d[4].Tries = does(bad), 1 }), run.Input{
			RerunTasks: dag.Tasks{"query"}, Drop: run.Drop{Params: []string{"invalid_followers"}, Tags: []string{"repair"}, Hold: true, RunTimeout: true},
		}, priorRun(prior))
		require.ErrorContains(t, p.err, "task query failed", "it does not hold")
		require.Empty(t, p.entry.Params)
		require.Empty(t, p.entry.Tags)
		require.False(t, p.entry.Hold)
		require.Zero(t, p.entry.RunTimeout)
	})

	t.Run("nothing_of_the_dags_own_settings", func(t *testing.T) {
		c := catalog(daily())
		c.DAGs[0].Hold, c.DAGs[0].RunTimeout = true, time.Hour
		p := playCatalog(t, c, run.Input{DAG: testDAG, Date: someDay})
		require.False(t, p.entry.Hold, "a later rerun has those that its DAG has then")
		require.Zero(t, p.entry.RunTimeout)
	})

	t.Run("nothing_if_all_tasks_run", func(t *testing.T) {
		p := play(t, daily(), run.Input{})
		require.Empty(t, p.entry.Params, "a new run has the settings that it is started with")
	})

	t.Run("refuses_a_parameter_that_the_dag_does_not_have_any_more", func(t *testing.T) {
		env := newEnv(t, catalog(daily()))
		priorRun(succeeded(run.Status{Date: someDay, Params: map[string]string{"gone": "1"}}))(env)
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay, RerunTasks: dag.Tasks{"query"}})
		requireInvalidInput(t, env.GetWorkflowError(), `parameter "gone" is unknown`, "the latest run of 2022-10-18 had it; leave it out with --no-param gone")
	})
}

func TestRerunAlone(t *testing.T) {
	t.Run("is_refused_if_its_parents_have_not_succeeded", func(t *testing.T) {
		prior := succeeded(run.Status{})
		prior.Tasks[2].State, prior.Tasks[4].State = run.Failed, run.UpstreamFailed
		env := newEnv(t, catalog(daily()))
		priorRun(prior)(env)
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay, RerunTasks: dag.Tasks{"query"}})
		requireInvalidInput(t, env.GetWorkflowError(), "task query cannot run again without its parents: clean_geo is failed", "starter rerun 2022-10-18 --from clean_geo --dag test")
		status := queryStatus(t, env)
		require.Equal(t, run.Failed, status.State)
		require.Contains(t, status.Error, "clean_geo is failed", "the ledger still has the results of the latest run")
		require.NotZero(t, status.Ended)
	})
}
