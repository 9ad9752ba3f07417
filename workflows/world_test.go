package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

// A test reads better without the name of the package.
type (
	does           = workflowstest.Func
	keeping        = workflowstest.Keeping
	journal[T any] = workflowstest.Journal[T]
)

var (
	ok   = workflowstest.OK
	bad  = workflowstest.Bad
	noon = workflowstest.Noon
)

const (
	someDay        = workflowstest.Day
	testDAG        = workflowstest.DAG
	someDeployment = workflowstest.Deployment
	// pipelineDAG is the name of the pipeline.
	pipelineDAG = "pipeline"
)

// daily returns a DAG of five tasks that succeed after a minute. A test changes what it is about.
func daily(change ...func(dag.DAG)) dag.DAG {
	d := dag.DAG{
		{ID: "load", Do: does(ok)},
		{ID: "clean_pin", After: dag.Tasks{"load"}, Do: does(ok)},
		{ID: "clean_geo", After: dag.Tasks{"load"}, Do: does(ok)},
		{ID: "clean_user", After: dag.Tasks{"load"}, Do: does(ok)},
		{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Do: does(ok)},
	}
	for _, f := range change {
		f(d)
	}
	return d
}

// newEnv returns a test environment with the workflows of a catalog, and all activities for
// mocking.
func newEnv(t *testing.T, c dag.Catalog) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	require.NoError(t, c.Validate())
	env := workflowstest.NewEnv()
	Register(env, c, keeping{})
	return env
}

// catalog holds a table as testDAG, and the pipeline.
func catalog(table dag.DAG) dag.Catalog {
	narrow := []dag.Pool{{Name: "narrow", Slots: 1}}
	return dag.NewCatalog(dag.Definition{Name: testDAG, DAG: table, Params: pipeline().Params, Pools: narrow}, pipeline())
}

// pipeline is a DAG of the operators of production: it lands and loads three topics, cleans them in
// parallel and answers a question.
func pipeline() dag.Definition {
	return dag.Definition{
		Name: pipelineDAG,
		DAG: dag.DAG{
			{ID: "load", Do: operators.Load{Topics: []string{"pin", "geo", "user"}, Notebook: "load"}},
			{ID: "clean_pin", After: dag.Tasks{"load"}, Do: operators.Notebook{Name: "clean_pin", Cleans: "pin"}},
			{ID: "clean_geo", After: dag.Tasks{"load"}, Do: operators.Notebook{Name: "clean_geo", Cleans: "geo"}},
			{ID: "clean_user", After: dag.Tasks{"load"}, Do: operators.Notebook{Name: "clean_user", Cleans: "user"}},
			{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Do: operators.Notebook{Name: "query", Rebuilds: []string{"answer"}}},
		},
		Params: dag.Params{"x": nil, "invalid_followers": {"quarantine", "null"}},
	}
}

// pooledPipeline is the pipeline with a pool of one slot for each task.
func pooledPipeline() dag.Definition {
	d := pipeline()
	for i := range d.DAG {
		d.DAG[i].Pool = d.DAG[i].ID
		d.Pools = append(d.Pools, dag.Pool{Name: d.DAG[i].ID, Slots: 1})
	}
	return d
}

// played is the end of a run.
type played struct {
	status run.Status
	entry  ledger.Entry
	err    error
	took   time.Duration
}

func (p played) task(id string) run.Task {
	for _, task := range p.status.Tasks {
		if task.ID == id {
			return task
		}
	}
	return run.Task{}
}

// play runs a DAG for a date. prepare can mock activities and plan what happens later.
func play(t *testing.T, dag dag.DAG, in run.Input, prepare ...func(*testsuite.TestWorkflowEnvironment)) played {
	t.Helper()
	if in.DAG == "" {
		in.DAG = testDAG
	}
	if in.Date == "" {
		in.Date = someDay
	}
	return playCatalog(t, catalog(dag), in, prepare...)
}

func playCatalog(t *testing.T, c dag.Catalog, in run.Input, prepare ...func(*testsuite.TestWorkflowEnvironment)) played {
	t.Helper()
	env := newEnv(t, c)
	var p played
	env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, entry ledger.Entry) error {
		p.entry = entry
		return nil
	}).Once()
	for _, f := range prepare {
		f(env)
	}
	began := env.Now()
	env.ExecuteWorkflow(run.RunWorkflow, in)
	require.True(t, env.IsWorkflowCompleted())
	p.took = env.Now().Sub(began)
	p.err = env.GetWorkflowError()
	answer, err := env.QueryWorkflow(run.StatusQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&p.status))
	env.AssertExpectations(t)
	return p
}
