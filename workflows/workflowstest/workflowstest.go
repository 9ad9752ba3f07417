// Package workflowstest has what the tests of workflows share: operators that are functions, and an
// environment whose clock and dates are fixed.
package workflowstest

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

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
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

const (
	// Day is a date that is over.
	Day = dates.Date("2022-10-18")
	// DAG is the name of the DAG of a test.
	DAG = "test"
	// Deployment is the deployment of the test environment.
	Deployment = run.Deployment("some")
)

// Noon is when the clock of the tests starts: a day and a half after the end of Day.
var Noon = time.Date(2022, 10, 20, 12, 0, 0, 0, time.UTC)

// Func is an operator that is a function.
type Func func(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error)

// Effects returns none.
func (Func) Effects() dag.Effects { return dag.Effects{} }

// Run calls the function.
func (f Func) Run(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	return f(ctx, try)
}

// OK succeeds after a minute.
func OK(ctx workflow.Context, _ operators.TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, workflow.Sleep(ctx, time.Minute)
}

// Bad fails at once.
func Bad(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, temporal.NewNonRetryableApplicationError("broken: SELECT nonsense", failure.NotebookFailed, nil)
}

// Keeping is a Codec for operators that are functions: it keeps them, and records where.
type Keeping struct{}

var kept struct {
	sync.Mutex
	operators []operators.Operator
}

// Encode records where the operator is kept, unless production knows how to record it.
func (Keeping) Encode(op operators.Operator) (json.RawMessage, error) {
	if recorded, err := operators.Default.Encode(op); err == nil {
		return recorded, nil
	}
	kept.Lock()
	defer kept.Unlock()
	kept.operators = append(kept.operators, op)
	return json.Marshal(map[string]int{"kept": len(kept.operators) - 1})
}

// Decode returns the operator that was kept.
func (Keeping) Decode(recorded json.RawMessage) (operators.Operator, error) {
	var at map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &at); err != nil || at["kept"] == nil {
		return operators.Default.Decode(recorded)
	}
	i, err := strconv.Atoi(string(at["kept"]))
	kept.Lock()
	defer kept.Unlock()
	return kept.operators[i], err
}

// NewEnv returns a test environment that has the activities, for mocking, and no workflows.
func NewEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(Noon)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{TaskQueue: Deployment.TaskQueue()})
	env.RegisterActivity(&landing.Activities{})
	env.RegisterActivity(&activities.Notebooks{})
	env.RegisterActivity(&activities.Ledger{})
	env.RegisterActivity(&activities.Pools{})
	env.RegisterActivity(&activities.Runs{})
	env.RegisterActivity(&activities.Past{})
	env.RegisterActivity(&activities.Counting{})
	env.RegisterActivity(&activities.Reports{})
	return env
}

// Journal collects values from activities that run concurrently.
type Journal[T any] struct {
	mu    sync.Mutex
	items []T
}

// Add returns how many values there are now.
func (j *Journal[T]) Add(item T) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.items = append(j.items, item)
	return len(j.items)
}

// All returns the values in the order in which they came.
func (j *Journal[T]) All() []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.items)
}
