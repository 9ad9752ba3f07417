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
	"github.com/pinflow/pinflow/internal/dates"
)

// does is an operator made of a function.
type does func(ctx workflow.Context, try Try) (Outcome, error)

func (does) Effects() Effects { return Effects{} }

func (f does) Run(ctx workflow.Context, try Try) (Outcome, error) { return f(ctx, try) }

func ok(ctx workflow.Context, _ Try) (Outcome, error) {
	return Outcome{}, workflow.Sleep(ctx, time.Minute)
}

func bad(workflow.Context, Try) (Outcome, error) {
	return Outcome{}, temporal.NewNonRetryableApplicationError("broken: SELECT nonsense", activities.ErrorNotebookFailed, nil)
}

const (
	someDay = dates.Date("2022-10-18")
	testDAG = "test"
)

// noon is when the tests' clock starts: someDay is over since a day and a half.
var noon = time.Date(2022, 10, 20, 12, 0, 0, 0, time.UTC)

// daily is the pipeline's shape with every task succeeding after a minute; each case changes only the one thing that it is about.
func daily(change ...func(DAG)) DAG {
	d := DAG{
		{ID: "load", Do: does(ok)},
		{ID: "clean_pin", After: Tasks{"load"}, Do: does(ok)},
		{ID: "clean_geo", After: Tasks{"load"}, Do: does(ok)},
		{ID: "clean_user", After: Tasks{"load"}, Do: does(ok)},
		{ID: "query", After: Tasks{"clean_pin", "clean_geo", "clean_user"}, Do: does(ok)},
	}
	for _, f := range change {
		f(d)
	}
	return d
}

// newEnv is a test environment with the workflows of a catalog and all activities, which a test mocks as it needs.
func newEnv(t *testing.T, c Catalog) *testsuite.TestWorkflowEnvironment {
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
	env.RegisterActivity(&activities.Landing{})
	env.RegisterActivity(&activities.Notebooks{})
	env.RegisterActivity(&activities.Ledger{})
	env.RegisterActivity(&activities.Pools{})
	env.RegisterActivity(&activities.Runs{})
	env.RegisterActivity(&activities.Past{})
	env.RegisterActivity(&activities.Counting{})
}

func catalog(dag DAG) Catalog {
	return Catalog{DAGs: []Named{{Name: testDAG, DAG: dag}, {Name: DailyName, DAG: Daily}}, Pools: append([]Pool{{"narrow", 1}}, Pools...)}
}

// played is what a run left.
type played struct {
	status RunStatus
	entry  activities.LedgerEntry
	err    error
	took   time.Duration
}

func (p played) task(id string) TaskStatus {
	for _, task := range p.status.Tasks {
		if task.ID == id {
			return task
		}
	}
	return TaskStatus{}
}

// play runs a DAG for a date. Prepare may mock and order things for later.
func play(t *testing.T, dag DAG, in RunInput, prepare ...func(*testsuite.TestWorkflowEnvironment)) played {
	t.Helper()
	if in.DAG == "" {
		in.DAG = testDAG
	}
	if in.Date == "" {
		in.Date = someDay
	}
	return playCatalog(t, catalog(dag), in, prepare...)
}

func playCatalog(t *testing.T, c Catalog, in RunInput, prepare ...func(*testsuite.TestWorkflowEnvironment)) played {
	t.Helper()
	env := newEnv(t, c)
	var p played
	env.OnActivity(writeLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, entry activities.LedgerEntry) error {
		p.entry = entry
		return nil
	}).Once()
	for _, f := range prepare {
		f(env)
	}
	began := env.Now()
	env.ExecuteWorkflow(RunWorkflow, in)
	require.True(t, env.IsWorkflowCompleted())
	p.took = env.Now().Sub(began)
	p.err = env.GetWorkflowError()
	answer, err := env.QueryWorkflow(StatusQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&p.status))
	env.AssertExpectations(t)
	return p
}
