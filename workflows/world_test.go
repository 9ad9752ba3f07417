package workflows

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
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

// does is an operator that is a function.
type does func(ctx workflow.Context, try TaskInstance) (run.Outcome, error)

func (does) Effects() dag.Effects { return dag.Effects{} }

func (f does) Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error) { return f(ctx, try) }

func ok(ctx workflow.Context, _ TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, workflow.Sleep(ctx, time.Minute)
}

func bad(workflow.Context, TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, temporal.NewNonRetryableApplicationError("broken: SELECT nonsense", failure.NotebookFailed, nil)
}

const (
	someDay = dates.Date("2022-10-18")
	testDAG = "test"
	// someDeployment is the deployment of the test environment.
	someDeployment = run.Deployment("some")
	// pipelineDAG is the name of the pipeline.
	pipelineDAG = "pipeline"
)

// noon is when the clock of the tests starts: a day and a half after the end of someDay.
var noon = time.Date(2022, 10, 20, 12, 0, 0, 0, time.UTC)

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
	env := emptyEnv()
	Register(env, c, keeping{})
	registerActivities(env)
	return env
}

func emptyEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(noon)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{TaskQueue: someDeployment.TaskQueue()})
	return env
}

func registerActivities(env *testsuite.TestWorkflowEnvironment) {
	env.RegisterActivity(&landing.Activities{})
	env.RegisterActivity(&activities.Notebooks{})
	env.RegisterActivity(&activities.Ledger{})
	env.RegisterActivity(&activities.Pools{})
	env.RegisterActivity(&activities.Runs{})
	env.RegisterActivity(&activities.Past{})
	env.RegisterActivity(&activities.Counting{})
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
			{ID: "load", Do: Load{Topics: []string{"pin", "geo", "user"}, Notebook: "load"}},
			{ID: "clean_pin", After: dag.Tasks{"load"}, Do: Notebook{Name: "clean_pin", Cleans: "pin"}},
			{ID: "clean_geo", After: dag.Tasks{"load"}, Do: Notebook{Name: "clean_geo", Cleans: "geo"}},
			{ID: "clean_user", After: dag.Tasks{"load"}, Do: Notebook{Name: "clean_user", Cleans: "user"}},
			{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Do: Notebook{Name: "query", Rebuilds: []string{"answer"}}},
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

// keeping is an OperatorCodec for operators that are functions: it keeps them, and records where.
type keeping struct{}

var kept struct {
	sync.Mutex
	operators []Operator
}

func (keeping) Encode(op Operator) (json.RawMessage, error) {
	if recorded, err := DefaultOperators.Encode(op); err == nil {
		return recorded, nil
	}
	kept.Lock()
	defer kept.Unlock()
	kept.operators = append(kept.operators, op)
	return json.Marshal(map[string]int{"kept": len(kept.operators) - 1})
}

func (keeping) Decode(recorded json.RawMessage) (Operator, error) {
	var at map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &at); err != nil || at["kept"] == nil {
		return DefaultOperators.Decode(recorded)
	}
	i, err := strconv.Atoi(string(at["kept"]))
	kept.Lock()
	defer kept.Unlock()
	return kept.operators[i], err
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
