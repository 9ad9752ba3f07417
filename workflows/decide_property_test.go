package workflows

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// databricks mocks the activities of notebooks, and records each Databricks run: the tasks that
// have one that is active, and all tries that ever had one.
type databricks struct {
	mu     sync.Mutex
	random *rand.Rand
	active map[string]int64 // by task
	runs   map[int64]string // id to task
	tries  map[string]int   // started runs, by task and try
	wrong  []string         // broken invariants
}

func (d *databricks) start(_ context.Context, in activities.StartNotebookInput) (activities.NotebookRun, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other, is := d.active[in.Task]; is {
		d.wrong = append(d.wrong, fmt.Sprintf("%s try %d starts while Databricks run %d is active", in.Task, in.Try, other))
	}
	id := int64(len(d.runs) + 1)
	d.active[in.Task], d.runs[id] = id, in.Task
	d.tries[fmt.Sprintf("%s %d", in.Task, in.Try)]++
	return activities.NotebookRun{RunID: id, Link: fmt.Sprintf("https://databricks/%d", id)}, nil
}

func (d *databricks) end(id int64) {
	if task := d.runs[id]; d.active[task] == id {
		delete(d.active, task)
	}
}

func (d *databricks) mock(env *testsuite.TestWorkflowEnvironment) {
	within := func(longest time.Duration) func() time.Duration {
		return func() time.Duration {
			d.mu.Lock()
			defer d.mu.Unlock()
			return time.Duration(d.random.Int64N(int64(longest)))
		}
	}
	// A start takes no time: the test suite cancels an activity at once, whatever its policy.
	env.OnActivity(steps.StartNotebook, mock.Anything, mock.Anything).Return(d.start)
	env.OnActivity(steps.WaitNotebook, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.WaitNotebookInput) (activities.NotebookResult, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.end(in.Run.RunID)
		if d.random.IntN(3) == 0 {
			return activities.NotebookResult{}, failure.NonRetryable(failure.NotebookFailed, nil, "broken")
		}
		return activities.NotebookResult{}, nil
	}).AfterFn(within(20 * time.Minute)).Maybe()
	env.OnActivity(steps.CancelNotebook, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CancelNotebookInput) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if in.Run.RunID == 0 {
			in.Run.RunID = d.active[in.Start.Task]
		}
		d.end(in.Run.RunID)
		return nil
	}).AfterFn(within(3 * time.Minute)).Maybe()
	env.OnActivity(steps.CountRows, mock.Anything, mock.Anything).Return(activities.RowCounts{Counted: true, Dates: make([]activities.DateCounts, 1)}, nil).Maybe()
}

// TestDecisionProperty sends random decisions at random times to a run of notebooks that fail at
// random.
func TestDecisionProperty(t *testing.T) {
	rules := []dag.TriggerRule{dag.AllSuccess, dag.AllDone, dag.OneFailed, dag.NoneFailed, dag.OneSuccess}
	for seed := range uint64(100) {
		t.Run(fmt.Sprintf("seed_%d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // the seed makes it repeatable
			var table dag.DAG
			for i := range 6 {
				task := dag.Task{ID: fmt.Sprintf("t%d", i), RetryDelay: 10 * time.Minute, Do: operators.Notebook{Name: "n"}, Tries: 1 + random.IntN(3)}
				for _, parent := range table {
					if random.IntN(3) == 0 {
						task.After = append(task.After, parent.ID)
					}
				}
				if len(task.After) > 0 {
					task.TriggerRule = rules[random.IntN(len(rules))]
				}
				if append(slices.Clone(table), task).Validate(nil) != nil { // its rule can never hold
					task.TriggerRule = dag.AllDone
				}
				table = append(table, task)
			}
			world := &databricks{random: random, active: map[string]int64{}, runs: map[int64]string{}, tries: map[string]int{}}
			var rejected []string
			accepted := 0
			p := play(t, table, run.Input{Hold: random.IntN(2) == 0}, world.mock, func(env *testsuite.TestWorkflowEnvironment) {
				for range 25 {
					d := run.Decision{Task: fmt.Sprintf("t%d", random.IntN(6)), Choice: run.Choices[random.IntN(4)], By: "ann", Reason: "x"}
					env.RegisterDelayedCallback(func() {
						env.UpdateWorkflow(run.DecideUpdate, "", &testsuite.TestUpdateCallback{
							OnAccept: func() { accepted++ }, OnReject: func(err error) { rejected = append(rejected, err.Error()) }, OnComplete: func(any, error) {},
						}, d)
					}, time.Duration(random.Int64N(int64(90*time.Minute))))
				}
				if random.IntN(5) == 0 {
					env.RegisterDelayedCallback(env.CancelWorkflow, time.Duration(random.Int64N(int64(90*time.Minute))))
				}
				for i := range 60 { // whatever is held in the end is decided, so that the run ends
					env.RegisterDelayedCallback(func() {
						for _, task := range queryStatus(t, env).Tasks {
							if task.State == run.Held {
								decide(env, run.Decision{Task: task.ID, Choice: run.FailTask, Reason: "enough"}, &rejected)
							}
						}
					}, 2*time.Hour+time.Duration(i)*10*time.Minute)
				}
			})
			require.Empty(t, world.wrong)
			require.Empty(t, world.active, "no Databricks run outlives the run")
			for try, count := range world.tries {
				require.Equal(t, 1, count, try)
			}
			total := 0
			for _, task := range p.entry.Tasks {
				require.True(t, task.State.Final(), "%s is %s", task.ID, task.State)
				require.Len(t, task.History, task.Tries, task.ID)
				require.Nil(t, task.Trying)
				require.Empty(t, task.Waiting)
				require.False(t, task.Ended.IsZero())
				total += task.Tries
				for i, try := range task.History {
					require.Equal(t, i+1, try.Number)
					require.False(t, try.Ended.IsZero())
					if i > 0 {
						require.False(t, try.Started.Before(task.History[i-1].Ended), "%s: tries follow each other", task.ID)
					}
				}
			}
			require.LessOrEqual(t, len(world.runs), total, "a try that was cancelled before its start has no Databricks run")
			t.Logf("%d accepted, %d rejected, %d Databricks runs", accepted, len(rejected), len(world.runs))
		})
	}
}
