package workflows

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// does is an operator made of a function.
type Does func(ctx workflow.Context, try TaskInstance) (Outcome, error)

func (Does) Effects() dag.Effects { return dag.Effects{} }

func (f Does) Run(ctx workflow.Context, try TaskInstance) (Outcome, error) { return f(ctx, try) }

func Ok(ctx workflow.Context, _ TaskInstance) (Outcome, error) {
	return Outcome{}, workflow.Sleep(ctx, time.Minute)
}

func bad(workflow.Context, TaskInstance) (Outcome, error) {
	return Outcome{}, temporal.NewNonRetryableApplicationError("broken: SELECT nonsense", failure.NotebookFailed, nil)
}

const (
	SomeDay = dates.Date("2022-10-18")
	TestDAG = "test"
)

// noon is when the tests' clock starts: someDay is over since a day and a half.
var noon = time.Date(2022, 10, 20, 12, 0, 0, 0, time.UTC)

// daily is the pipeline's shape with every task succeeding after a minute; each case changes only the one thing that it is about.
func daily(change ...func(dag.DAG)) dag.DAG {
	d := dag.DAG{
		{ID: "load", Do: Does(Ok)},
		{ID: "clean_pin", After: dag.Tasks{"load"}, Do: Does(Ok)},
		{ID: "clean_geo", After: dag.Tasks{"load"}, Do: Does(Ok)},
		{ID: "clean_user", After: dag.Tasks{"load"}, Do: Does(Ok)},
		{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Do: Does(Ok)},
	}
	for _, f := range change {
		f(d)
	}
	return d
}

// newEnv is a test environment with the workflows of a catalog and all activities, which a test mocks as it needs.
func newEnv(t *testing.T, c dag.Catalog) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	require.NoError(t, c.Validate())
	env := emptyEnv()
	Register(env, c)
	registerActivities(env)
	return env
}

func emptyEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(noon)
	return env
}

func registerActivities(env *testsuite.TestWorkflowEnvironment) {
	env.RegisterActivity(&landing.Activities{})
	env.RegisterActivity(&activities.Notebooks{})
	env.RegisterActivity(&ledger.Ledger{})
	env.RegisterActivity(&activities.Pools{})
	env.RegisterActivity(&activities.Runs{})
	env.RegisterActivity(&activities.Past{})
	env.RegisterActivity(&activities.Counting{})
}

func catalog(table dag.DAG) dag.Catalog {
	return dag.Catalog{DAGs: []dag.Definition{{Name: TestDAG, DAG: table}, {Name: DailyName, DAG: Daily}}, Pools: append([]dag.Pool{{"narrow", 1}}, Pools...)}
}

// played is what a run left.
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

// play runs a DAG for a date. Prepare may mock and order things for later.
func play(t *testing.T, dag dag.DAG, in run.Input, prepare ...func(*testsuite.TestWorkflowEnvironment)) played {
	t.Helper()
	if in.DAG == "" {
		in.DAG = TestDAG
	}
	if in.Date == "" {
		in.Date = SomeDay
	}
	return playCatalog(t, catalog(dag), in, prepare...)
}

func playCatalog(t *testing.T, c dag.Catalog, in run.Input, prepare ...func(*testsuite.TestWorkflowEnvironment)) played {
	t.Helper()
	env := newEnv(t, c)
	var p played
	env.OnActivity(writeLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, entry ledger.Entry) error {
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
