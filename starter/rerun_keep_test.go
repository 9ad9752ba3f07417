package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
)

// ranWith returns a run of 2022-10-18 with settings of its own.
func ranWith(status run.Status) run.Status {
	status.Params, status.Tags, status.Hold, status.RunTimeout = map[string]string{"invalid_followers": "null"}, []string{"repair"}, true, 6*time.Hour
	return status
}

func TestRerunKeeps(t *testing.T) {
	t.Parallel()
	t.Run("and_says_what_before_it_starts", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ran(t, ranWith(bad))
		w.starts(nil)
		code, _, stderr := w.line(t, "rerun 2022-10-18 --failed")
		require.Zero(t, code, stderr)
		golden(t, "rerun-kept", stderr)
		require.Equal(t, []any{run.Input{
			DAG: pipeline, Date: "2022-10-18", Trigger: run.Manual, Params: map[string]string{}, RerunTasks: []string{"clean_geo", "query"}, TriggeredBy: "ann@desk",
		}}, w.temporal.started, "the run itself keeps them")
	})

	t.Run("unless_flags_change_it", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ran(t, ranWith(bad))
		w.starts(nil)
		code, _, stderr := w.line(t, "rerun 2022-10-18 --failed --no-param invalid_followers --param schema=test --tag again --no-tag repair --no-hold --run-timeout 0")
		require.Zero(t, code, stderr)
		golden(t, "rerun-changed", stderr)
		in, ok := w.temporal.started[0].(run.Input)
		require.True(t, ok)
		require.Equal(t, run.Drop{Params: []string{"invalid_followers"}, Tags: []string{"repair"}, Hold: true, RunTimeout: true}, in.Drop)
	})

	t.Run("dry_run_starts_nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ran(t, ranWith(bad))
		code, stdout, stderr := w.line(t, "rerun 2022-10-18 --from clean_geo --param invalid_followers=quarantine --dry-run")
		require.Zero(t, code, stderr)
		golden(t, "rerun-dry-run", stdout)
		require.Empty(t, w.temporal.started)
		code, stdout, stderr = w.line(t, "rerun 2022-10-18 --from clean_geo --dry-run -o json")
		require.Zero(t, code, stderr)
		var plan control.RerunPlan
		require.NoError(t, json.Unmarshal([]byte(stdout), &plan))
		require.Equal(t, run.Difference{Setting: "params", Name: "invalid_followers", Value: "null", How: run.Kept}, plan.Settings[0])
	})

	t.Run("and_says_how_the_dag_has_changed", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		former := bad
		former.Tasks = slices.Clone(bad.Tasks)
		former.Tasks[3].ID = "clean_old"
		w.ran(t, former)
		code, stdout, stderr := w.line(t, "rerun 2022-10-18 --only clean_geo --dry-run")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Tasks that run again: clean_geo, clean_user.")
		require.Contains(t, stdout, "The DAG has changed since that run: + clean_user, − clean_old.")
	})

	t.Run("a_parameter_that_the_dag_lost_is_refused", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		former := ranWith(bad)
		former.Params = map[string]string{"gone": "1"}
		w.ran(t, former)
		code, _, stderr := w.line(t, "rerun 2022-10-18 --failed")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "leave it out with --no-param gone")
		require.Empty(t, w.temporal.started)
	})

	t.Run("alone_needs_its_parents", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ran(t, bad)
		code, _, stderr := w.line(t, "rerun 2022-10-18 --only query")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "task query cannot run again without its parents: clean_geo is failed; run them again as well with `starter rerun 2022-10-18 --from clean_geo`")
		require.Empty(t, w.temporal.started)
	})

	t.Run("in_each_date_of_a_backfill", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ledger(t, ranWith(good))
		other := bad
		other.Date = "2022-10-17"
		w.ledger(t, other)
		code, stdout, stderr := w.line(t, "backfill --from 2022-10-16 --to 2022-10-18 --task-from query --tag again --dry-run")
		require.Zero(t, code, stderr)
		golden(t, "backfill-kept", stdout)
		w.starts(nil)
		code, _, stderr = w.line(t, "backfill --from 2022-10-16 --to 2022-10-18 --task-from query --no-hold")
		require.Zero(t, code, stderr)
		in, ok := w.temporal.started[0].(run.RangeInput)
		require.True(t, ok)
		require.Equal(t, run.Drop{Hold: true}, in.Drop)
	})

	t.Run("only_in_reruns", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, _, stderr := w.line(t, "backfill --from 2022-10-16 --to 2022-10-18 --no-hold")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "--no-hold needs --task-from")
		code, _, stderr = w.line(t, "rerun 2022-10-18 --failed --hold --no-hold --param schema=x --no-param schema --no-param gone")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "--hold and --no-hold")
		require.Contains(t, stderr, "--param schema and --no-param schema")
	})
}
