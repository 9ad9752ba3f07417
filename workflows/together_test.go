package workflows

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// writers counts how many dates write a table at the same time.
type writers struct {
	writing, most map[string]int
}

func (w *writers) write(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	w.writing[try.Task]++
	w.most[try.Task] = max(w.most[try.Task], w.writing[try.Task])
	defer func() { w.writing[try.Task]-- }()
	return run.Outcome{}, workflow.Sleep(ctx, time.Duration(1+try.Date.Start().Day()%7)*time.Minute)
}

// landThenWrite is an operator with work that needs no slot.
type landThenWrite struct {
	landing *writers
	does
}

func (l landThenWrite) Prepare(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	return l.landing.write(ctx, try)
}

// playTogether plays a range, its runs and the Pools workflow together, with the messages that they
// exchange on a server.
func playTogether(t require.TestingT, env *testsuite.TestWorkflowEnvironment, in run.RangeInput) (result run.RangeResult, err error) {
	const poolsID = "pools-of-the-test"
	tokens := map[string][]byte{}
	key := func(r run.Request) string { return r.WorkflowID + r.ActivityID }
	env.OnActivity(steps.SendToPools, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.PoolsMessage) error {
		env.RegisterDelayedCallback(func() { // the environment takes signals only in callbacks
			require.NoError(t, env.SignalWorkflowByID(poolsID, run.PoolsSignal, m))
		}, time.Millisecond)
		return nil
	})
	env.OnActivity(steps.RunInPool, mock.Anything, mock.Anything).Return(func(ctx context.Context, r run.Request) (run.WorkDone, error) {
		token := activity.GetInfo(ctx).TaskToken
		env.RegisterDelayedCallback(func() { tokens[key(r)] = token }, 0)
		return run.WorkDone{}, activity.ErrResultPending
	})
	answer := func(in activities.AnswerRequestInput) {
		env.RegisterDelayedCallback(func() {
			var failed error
			if in.Error != "" {
				failed = temporal.NewApplicationErrorWithOptions(in.Error, in.ErrorType, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{in.Done}})
			}
			require.NoError(t, env.CompleteActivity(tokens[key(in.Request)], in.Done, failed))
			// The environment does not wake a child whose activity is completed from outside.
			require.NoError(t, env.SignalWorkflowByID(in.Request.WorkflowID, run.StartedSignal, run.WorkStarted{}))
		}, 0)
	}
	env.OnActivity(steps.AnswerRequest, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnswerRequestInput) error {
		answer(in)
		return nil
	}).Maybe()
	env.OnActivity(steps.AnswerRequests, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnswerRequestsInput) error {
		for _, one := range in.Answers {
			answer(one)
		}
		return nil
	}).Maybe()
	env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(activities.FoundRequests{}, nil).Maybe()
	env.OnActivity(steps.FindClosed, mock.Anything, mock.Anything).Return(activities.ClosedRequesters{}, nil).Maybe()
	withLedger()(env)
	namespace := func(ctx workflow.Context) (run.RangeResult, error) {
		pools := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: poolsID}), run.PoolsWorkflow, run.PoolsState{})
		// The environment panics on a signal for a child that has not begun.
		if err := pools.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return run.RangeResult{}, err
		}
		var result run.RangeResult
		err := workflow.ExecuteChildWorkflow(ctx, run.RangeWorkflow, in).Get(ctx, &result)
		return result, err
	}
	env.RegisterWorkflowWithOptions(namespace, workflow.RegisterOptions{Name: "namespace"})
	env.ExecuteWorkflow("namespace")
	if err := env.GetWorkflowError(); err != nil {
		return result, err
	}
	return result, env.GetWorkflowResult(&result)
}

func TestRangeTogether(t *testing.T) {
	t.Run("parallel_dates_land_in_parallel_and_write_one_after_the_other", func(t *testing.T) {
		w := &writers{writing: map[string]int{}, most: map[string]int{}}
		landings := &writers{writing: map[string]int{}, most: map[string]int{}}
		table := dag.DAG{
			{ID: "load", Pool: "load", Do: landThenWrite{landings, w.write}},
			{ID: "clean", After: dag.Tasks{"load"}, Pool: "clean", Do: does(w.write)},
			{ID: "free", After: dag.Tasks{"load"}, Do: does(w.write)},
		}
		env := newEnv(t, dag.Catalog{DAGs: []dag.Definition{{Name: testDAG, DAG: table}}, Pools: []dag.Pool{{Name: "load", Slots: 1}, {Name: "clean", Slots: 2}}})
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(nil).Times(30)
		result, err := playTogether(t, env, run.RangeInput{DAG: testDAG, From: firstOfMonth, To: lastOfMonth, Parallel: 8})
		require.NoError(t, err)
		require.Equal(t, 30, result.Success)
		require.Equal(t, 1, w.most["load"])
		require.Equal(t, 2, w.most["clean"])
		require.Greater(t, landings.most["load"], 1, "landing needs no slot")
		require.Greater(t, w.most["free"], 1)
		env.AssertExpectations(t)
	})
}

// jobRuns is Databricks: its notebooks take a list of dates, and fail if one of them is bad.
type jobRuns struct {
	mu    sync.Mutex
	bad   map[dates.Date]bool
	runs  []activities.StartNotebookInput
	wrote map[string]map[dates.Date]int // how often a notebook succeeded for a date
}

func (n *jobRuns) mock(env *testsuite.TestWorkflowEnvironment) {
	env.OnActivity(steps.StartNotebook, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.StartNotebookInput) (activities.NotebookRun, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.runs = append(n.runs, in)
		return activities.NotebookRun{RunID: int64(len(n.runs)), Link: fmt.Sprintf("https://databricks/%d", len(n.runs))}, nil
	})
	env.OnActivity(steps.WaitNotebook, mock.Anything, mock.Anything).After(20 * time.Second).Return(func(_ context.Context, in activities.WaitNotebookInput) (activities.NotebookResult, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		job := n.runs[in.Run.RunID-1]
		for _, date := range job.Dates() {
			if n.bad[date] && job.Notebook == "clean" {
				return activities.NotebookResult{}, temporal.NewNonRetryableApplicationError("run failed: "+string(date), failure.NotebookFailed, nil)
			}
		}
		for _, date := range job.Dates() {
			if n.wrote[job.Notebook] == nil {
				n.wrote[job.Notebook] = map[dates.Date]int{}
			}
			n.wrote[job.Notebook][date]++
		}
		return activities.NotebookResult{}, nil
	})
}

// Whatever the width, the batch and the bad dates: each good date succeeds once in each notebook,
// each bad one fails alone and by itself, and no group is larger than the batch.
func TestGroupProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		table := dag.DAG{
			{ID: "clean", Pool: "clean", Tries: 1, Do: operators.Notebook{Name: "clean", Together: true}},
			{ID: "query", After: dag.Tasks{"clean"}, Tries: 1, Pool: "query", Do: operators.Notebook{Name: "query", Together: true}},
		}
		n := &jobRuns{bad: map[dates.Date]bool{}, wrote: map[string]map[dates.Date]int{}}
		for range rapid.IntRange(0, 3).Draw(rt, "bad dates") {
			n.bad[firstOfMonth.Add(rapid.IntRange(0, 29).Draw(rt, "bad"))] = true
		}
		in := run.RangeInput{
			DAG: testDAG, From: firstOfMonth, To: lastOfMonth, Trigger: run.Backfill,
			Parallel: rapid.IntRange(1, 30).Draw(rt, "parallel"), Batch: rapid.IntRange(1, 30).Draw(rt, "batch"),
		}
		env := newEnv(t, dag.Catalog{DAGs: []dag.Definition{{Name: testDAG, DAG: table}}, Pools: []dag.Pool{{Name: "clean", Slots: 1}, {Name: "query", Slots: 1}}})
		var entries journal[ledger.Entry]
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, entry ledger.Entry) error {
			entries.Add(entry)
			return nil
		})
		n.mock(env)
		_, err := playTogether(rt, env, in)
		require.Equal(rt, len(n.bad) > 0, err != nil, "a partial success is no success")
		require.Len(rt, entries.All(), 30)
		for _, entry := range entries.All() {
			last := entry.Tasks[0].History[len(entry.Tasks[0].History)-1]
			require.Equal(rt, n.bad[entry.Date], entry.State == run.Failed, "%s: %+v", entry.Date, entry.Tasks)
			if n.bad[entry.Date] {
				require.Empty(rt, last.Together, "the last try of a bad date is alone")
				require.Contains(rt, last.Error, string(entry.Date))
				continue
			}
			require.Equal(rt, []int{1, 1}, []int{n.wrote["clean"][entry.Date], n.wrote["query"][entry.Date]}, entry.Date)
		}
		for _, job := range n.runs {
			require.LessOrEqual(rt, len(job.Dates()), min(in.Batch, in.Parallel))
			require.True(rt, slices.IsSorted(job.Dates()))
		}
	})
}

func TestCatalog(t *testing.T) {
	// Two DAGs of one catalog run the same date at the same time.
	t.Run("da_gs_run_side_by_side_under_i_ds_of_their_own", func(t *testing.T) {
		c := dag.NewCatalog(dag.Definition{Name: "one", DAG: daily()}, dag.Definition{Name: "two", DAG: daily()[:2]})
		env := newEnv(t, c)
		var written journal[ledger.Entry]
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, entry ledger.Entry) error {
			written.Add(entry)
			return nil
		}).Twice()
		withLedger()(env)
		both := func(ctx workflow.Context) error {
			var ranges []workflow.Future
			for _, name := range c.Names() {
				options := workflow.ChildWorkflowOptions{WorkflowID: someDeployment.RangeWorkflowID(name, someDay, someDay)}
				in := run.RangeInput{DAG: name, From: someDay, To: someDay}
				ranges = append(ranges, workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), run.RangeWorkflow, in))
			}
			for _, r := range ranges {
				if err := r.Get(ctx, nil); err != nil {
					return err
				}
			}
			return nil
		}
		env.RegisterWorkflowWithOptions(both, workflow.RegisterOptions{Name: "both"})
		began := env.Now()
		env.ExecuteWorkflow("both")
		require.NoError(t, env.GetWorkflowError())
		require.Equal(t, 3*time.Minute, env.Now().Sub(began).Round(time.Second), "neither waits for the other")
		entries := written.All()
		require.Len(t, entries, 2)
		require.Equal(t, []any{"two", someDeployment.WorkflowID("two", someDay), run.Success}, []any{entries[0].DAG, entries[0].WorkflowID, entries[0].State})
		require.Len(t, entries[0].Tasks, 2)
		require.Equal(t, []any{"one", someDeployment.WorkflowID("one", someDay), run.Success}, []any{entries[1].DAG, entries[1].WorkflowID, entries[1].State})
		require.Len(t, entries[1].Tasks, 5)
		env.AssertExpectations(t)
	})
}
