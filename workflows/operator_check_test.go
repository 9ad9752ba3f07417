package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// idle has effects and no Run; running has a Run and counts nothing.
type (
	idle    struct{}
	running struct{}
)

func (idle) Effects() dag.Effects    { return dag.Effects{Cleans: "pin"} }
func (running) Effects() dag.Effects { return dag.Effects{Cleans: "pin"} }
func (running) Run(workflow.Context, TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, nil
}

func TestCheckOperators(t *testing.T) {
	catalog := func(tasks ...dag.Task) dag.Catalog {
		return dag.NewCatalog(dag.Definition{Name: "checked", DAG: tasks})
	}
	check := func(c dag.Catalog) error { return CheckOperators(c, keeping{}) }
	require.NoError(t, check(catalog(dag.Task{ID: "a", Do: running{}}, dag.Task{ID: "none"})))
	require.ErrorContains(t, check(catalog(dag.Task{ID: "a", Do: idle{}})), "has no method Run")
	require.ErrorContains(t, check(catalog(dag.Task{ID: "a", Do: running{}, Expect: dag.Expect{MaxQuarantined: 5}})), "has no method Count")
	require.NoError(t, check(catalog(dag.Task{ID: "a", Do: Notebook{Name: "a", Cleans: "pin"}, Expect: dag.Expect{MaxQuarantined: 5}})))
	require.ErrorContains(t, CheckOperators(catalog(dag.Task{ID: "a", Do: running{}}), DefaultOperators), "has no name under which a run can record it")
}
