package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

// leaves returns an operator with this outcome.
func leaves(out run.Outcome) does {
	return func(workflow.Context, operators.TaskInstance) (run.Outcome, error) { return out, nil }
}

func states(p played) map[string]run.State {
	all := map[string]run.State{}
	for _, task := range p.status.Tasks {
		all[task.ID] = task.State
	}
	return all
}

func TestSkip(t *testing.T) {
	t.Run("a_short_circuit_skips_the_rest_whatever_the_rules", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) {
			d[1].Do = leaves(run.Outcome{SkipRest: true})
			d[4].TriggerRule = dag.AllDone
		}), run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, map[string]run.State{"load": run.Success, "clean_pin": run.Success, "clean_geo": run.Success, "clean_user": run.Success, "query": run.Skipped}, states(p))
		require.Equal(t, "clean_pin ended the rest of the run", p.task("query").Error)
		p = play(t, daily(func(d dag.DAG) { d[0].Do = leaves(run.Outcome{SkipRest: true}) }), run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, map[string]run.State{"load": run.Success, "clean_pin": run.Skipped, "clean_geo": run.Skipped, "clean_user": run.Skipped, "query": run.Skipped}, states(p))
	})

	t.Run("a_branch_skips_children_and_rules_decide_below", func(t *testing.T) {
		for rule, query := range map[dag.TriggerRule]run.State{dag.AllSuccess: run.Skipped, dag.NoneFailedMinOneSuccess: run.Success} {
			p := play(t, daily(func(d dag.DAG) {
				d[0].Do = leaves(run.Outcome{SkipChildren: dag.Tasks{"clean_pin", "clean_user"}})
				d[4].TriggerRule = rule
			}), run.Input{})
			require.NoError(t, p.err)
			require.Equal(t, map[string]run.State{"load": run.Success, "clean_pin": run.Skipped, "clean_geo": run.Success, "clean_user": run.Skipped, "query": query}, states(p), rule)
			require.Equal(t, "not on the branch that load took", p.task("clean_pin").Error)
		}
	})

	t.Run("a_branch_can_only_skip_children", func(t *testing.T) {
		p := play(t, daily(func(d dag.DAG) { d[0].Do, d[0].Tries = leaves(run.Outcome{SkipChildren: dag.Tasks{"query"}}), 1 }), run.Input{})
		require.ErrorContains(t, p.err, `task load skips "query", which is not one of its children: clean_pin, clean_geo, clean_user`)
	})

	t.Run("tasks_that_have_started_continue", func(t *testing.T) {
		p := play(t, dag.DAG{
			{ID: "fast", Do: leaves(run.Outcome{})},
			{ID: "slow", Do: does(func(ctx workflow.Context, _ operators.TaskInstance) (run.Outcome, error) {
				return run.Outcome{SkipRest: true}, workflow.Sleep(ctx, 30*time.Second)
			})},
			{ID: "early", After: dag.Tasks{"fast", "slow"}, TriggerRule: dag.OneSuccess, Do: does(ok)},
			{ID: "late", After: dag.Tasks{"early"}, Do: does(ok)},
		}, run.Input{})
		require.NoError(t, p.err)
		require.Equal(t, map[string]run.State{"fast": run.Success, "slow": run.Success, "early": run.Success, "late": run.Skipped}, states(p))
	})

	t.Run("a_rerun_keeps_the_branch", func(t *testing.T) {
		prior := ledger.Entry{Status: run.Status{Tasks: []run.Task{
			{ID: "load", State: "success", Tries: 1, Outcome: run.Outcome{SkipChildren: dag.Tasks{"clean_pin"}}},
			{ID: "clean_pin", State: "skipped"}, {ID: "clean_geo", State: "failed", Tries: 2}, {ID: "clean_user", State: "success", Tries: 1}, {ID: "query", State: "upstream_failed"},
		}}}
		p := play(t, daily(), run.Input{RerunTasks: dag.Tasks{"clean_pin", "clean_geo", "query"}}, priorRun(prior))
		require.NoError(t, p.err)
		require.Equal(t, map[string]run.State{"load": run.Success, "clean_pin": run.Skipped, "clean_geo": run.Success, "clean_user": run.Success, "query": run.Skipped}, states(p))
	})
}

func TestLoadSkip(t *testing.T) {
	t.Run("skip_empty_skips_the_rest_of_a_date_without_records", func(t *testing.T) {
		out, err := operators.Load{SkipEmpty: true}.Run(nil, operators.TaskInstance{})
		require.NoError(t, err)
		require.True(t, out.SkipRest)
	})
}
