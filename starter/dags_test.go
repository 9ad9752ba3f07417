package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
	"github.com/pinflow/pinflow/starter/view"
)

func TestDags(t *testing.T) {
	t.Parallel()
	t.Run("of_this_build_are_listed_and_checked", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, stdout, _ := w.starter(t, "dags", "check")
		require.Zero(t, code)
		require.Equal(t, "ok    pipeline, 5 tasks\n", stdout)
		code, stdout, _ = w.starter(t, "dags", "list")
		require.Zero(t, code)
		require.Contains(t, stdout, "load, clean_pin, clean_geo, clean_user, query")
		require.Empty(t, w.touched)
	})

	t.Run("check_reports_all_mistakes_at_once_and_ends_with_one", func(t *testing.T) {
		t.Parallel()
		do := startertest.Work{}
		w := newWorld()
		w.catalog = dag.Catalog{DAGs: []dag.Definition{
			{Name: "good", DAG: dag.DAG{{ID: "a", Do: do}}},
			{Name: "bad", DAG: dag.DAG{{ID: "a", After: dag.Tasks{"z"}, Pool: "none", Do: do}, {ID: "a", Do: do}}},
		}}
		code, stdout, stderr := w.line(t, "dags check")
		require.Equal(t, exit.Failed, code)
		require.Empty(t, stderr)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		require.Len(t, lines, 4)
		require.Equal(t, "ok    good, 1 tasks", lines[0])
		for i, want := range []string{`parent "z"`, `pool "none"`, "twice"} {
			require.Contains(t, lines[i+1], `FAIL  bad: task "a"`)
			require.Contains(t, lines[i+1], want)
		}
		code, stdout, _ = w.line(t, "dags check -o json")
		require.Equal(t, exit.Failed, code)
		var checks []view.DAGCheck
		require.NoError(t, json.Unmarshal([]byte(stdout), &checks))
		require.Len(t, checks[1].Mistakes, 3)
		require.Empty(t, w.touched)
	})
}

func TestDAGConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.catalog = dag.NewCatalog(startertest.Pipeline, startertest.Pipeline)
	code, stdout, _ := w.starter(t, "dags", "check")
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stdout, "DAG pipeline is defined twice")
	require.Contains(t, stdout, "pool load is defined twice")
	require.Error(t, w.catalog.Validate(), "as a worker finds at its start")

	w = newWorld()
	w.operators = errors.New("task \"load\": no method Run")
	code, stdout, _ = w.starter(t, "dags", "check")
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stdout, "no method Run")
}
