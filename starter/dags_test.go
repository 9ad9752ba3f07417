package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/workflows"
)

func TestDags_OfThisBuildAreListedAndChecked(t *testing.T) {
	w := newWorld()
	code, stdout, _ := w.starter(t, "dags", "check")
	require.Zero(t, code)
	require.Equal(t, "ok    pinterest-daily, 5 tasks\n", stdout)
	code, stdout, _ = w.starter(t, "dags", "list")
	require.Zero(t, code)
	require.Contains(t, stdout, "load, clean_pin, clean_geo, clean_user, query")
	require.Empty(t, w.touched)
}

func TestDags_CheckReportsAllMistakesAtOnceAndEndsWithOne(t *testing.T) {
	do := workflows.Notebook{Name: "x"}
	broken := dag.Catalog{DAGs: []dag.Definition{
		{Name: "good", DAG: dag.DAG{{ID: "a", Do: do}}},
		{Name: "bad", DAG: dag.DAG{{ID: "a", After: dag.Tasks{"z"}, Pool: "none", Do: do}, {ID: "a", Do: do}}},
	}}
	var out bytes.Buffer
	a := &app{stdout: &out}
	err := a.checkDAGs(&cobra.Command{}, broken)
	require.Equal(t, exitFailed, exitCode(err))
	require.Equal(t, "ok    good, 1 tasks\n"+
		"FAIL  bad: task \"a\": its parent \"z\" is no task of this DAG\n"+
		"FAIL  bad: task \"a\": there is no pool \"none\" with slots\n"+
		"FAIL  bad: task \"a\" stands twice\n", out.String())
	out.Reset()
	a.output = formJSON
	require.Error(t, a.checkDAGs(&cobra.Command{}, broken))
	var checks []dagCheck
	require.NoError(t, json.Unmarshal(out.Bytes(), &checks))
	require.Len(t, checks[1].Mistakes, 3)
}
