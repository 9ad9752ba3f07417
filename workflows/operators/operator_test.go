package operators_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

// idle has effects and no Run; running has a Run and counts nothing.
type (
	idle    struct{}
	running struct{}
)

func (idle) Effects() dag.Effects    { return dag.Effects{Cleans: "pin"} }
func (running) Effects() dag.Effects { return dag.Effects{Cleans: "pin"} }
func (running) Run(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, nil
}

func TestCheck(t *testing.T) {
	catalog := func(tasks ...dag.Task) dag.Catalog {
		return dag.NewCatalog(dag.Definition{Name: "checked", DAG: tasks})
	}
	check := func(c dag.Catalog) error { return operators.Check(c, workflowstest.Keeping{}) }
	require.NoError(t, check(catalog(dag.Task{ID: "a", Do: running{}}, dag.Task{ID: "none"})))
	require.ErrorContains(t, check(catalog(dag.Task{ID: "a", Do: idle{}})), "has no method Run")
	require.ErrorContains(t, check(catalog(dag.Task{ID: "a", Do: running{}, Expect: dag.Expect{MaxQuarantined: 5}})), "has no method Count")
	require.NoError(t, check(catalog(dag.Task{ID: "a", Do: operators.Notebook{Name: "a", Cleans: "pin"}, Expect: dag.Expect{MaxQuarantined: 5}})))
	require.ErrorContains(t, operators.Check(catalog(dag.Task{ID: "a", Do: running{}}), operators.Default), "has no name under which a run can record it")
}

func TestSummary(t *testing.T) {
	t.Run("names_the_date_on_the_page_of_the_pools", func(t *testing.T) {
		try := operators.TaskInstance{DAG: workflowstest.DAG, Date: workflowstest.Day, Task: "load", Number: 2}
		require.Equal(t, "load try 2: count rows", try.Summary("count %s", "rows"))
		try.Pooled = true
		require.Equal(t, "load of test 2022-10-18 try 2: count rows", try.Summary("count %s", "rows"))
	})
}
